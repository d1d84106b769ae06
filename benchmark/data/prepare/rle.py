"""Decoding of COCO's run-length encoded masks: run lengths along the columns, in printable characters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FIRST, _MORE, _SIGN, _BITS = 48, 0x20, 0x10, 5
"""A character minus _FIRST holds five bits of a number, the lowest first; the sixth bit says that more follow."""


def decode_rle(counts: str, height: int, width: int) -> NDArray[np.bool_]:
    """Decode a compressed run-length code (`rleFrString` and `rleDecode` of the COCO API).

    Args:
        counts: Code. From the third run on, it holds differences to the run before the last.
        height: Height of the mask in pixels.
        width: Width of the mask in pixels.

    Returns:
        (height, width).

    Raises:
        ValueError: The code is invalid, or belongs to a mask of another size.
    """
    runs: list[int] = []
    for number in _decode_numbers(counts):
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"its runs cover {sum(runs)} pixels, expected {height} x {width}")
    # runs alternate between outside and inside: (height * width,) in column-major order
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def _decode_numbers(counts: str) -> list[int]:
    numbers, number, shift = [], 0, 0
    for character in counts:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 2 * _MORE:
            raise ValueError(f"its run lengths contain the invalid character {character!r}")
        number |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        numbers.append(number - (1 << shift) if bits & _SIGN else number)
        number, shift = 0, 0
    if shift:
        raise ValueError("its run lengths end in the middle of a number")
    return numbers
