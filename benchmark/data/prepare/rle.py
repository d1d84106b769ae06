"""Masks as COCO writes them: run lengths down the columns, in printable characters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FIRST, _MORE, _SIGN, _BITS = 48, 0x20, 0x10, 5
"""Of a character less _FIRST, five bits are part of a number, the lowest first, and the sixth says that more follow."""


def decode_rle(counts: str, height: int, width: int) -> NDArray[np.bool_]:
    """The mask that a compressed run-length code stands for (`rleFrString` and `rleDecode` of the COCO API).

    Args:
        counts: the code. From the third run on, it holds differences to the run before the last.
        height, width: in pixels.

    Returns:
        (height, width).

    Raises:
        ValueError: the code is none, or is one of a mask of another size.
    """
    runs: list[int] = []
    for number in _numbers(counts):
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"its runs are those of {sum(runs)} pixels, expected {height} x {width}")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def _numbers(counts: str) -> list[int]:
    numbers, number, shift = [], 0, 0
    for character in counts:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 2 * _MORE:
            raise ValueError(f"its run lengths hold {character!r}, which is no part of a number")
        number |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        numbers.append(number - (1 << shift) if bits & _SIGN else number)
        number, shift = 0, 0
    if shift:
        raise ValueError("its run lengths end in the middle of a number")
    return numbers
