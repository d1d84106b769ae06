"""Tests of .npz files: numpy reads them, and broken ones are refused."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.utils.npz import read_npz, to_npz

ARRAYS: dict[str, NDArray[Any]] = {"numbers": np.arange(6).reshape(2, 3), "none": np.zeros((0, 2), dtype=np.float32)}


def test_numpy_reads_the_arrays() -> None:
    with np.load(io.BytesIO(to_npz(ARRAYS))) as file:
        assert {name: file[name].tolist() for name in file} == {"numbers": [[0, 1, 2], [3, 4, 5]], "none": []}


def test_every_damaged_byte_is_refused_or_harmless() -> None:
    content = to_npz(ARRAYS)
    whole = {name: array.tolist() for name, array in read_npz(content).items()}
    for place in range(len(content)):
        damaged = content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]
        try:
            arrays = read_npz(damaged)
        except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, RuntimeError, EOFError):
            continue
        assert list(arrays) != list(whole) or {name: array.tolist() for name, array in arrays.items()} == whole


def test_arrays_of_numpy_are_read_whatever_their_memory_order() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, numbers=np.asfortranarray(ARRAYS["numbers"]))
    assert read_npz(file.getvalue())["numbers"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_pickled_objects_are_not_read() -> None:
    file = io.BytesIO()
    np.savez(file, objects=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="OBJECT"):
        read_npz(file.getvalue())
