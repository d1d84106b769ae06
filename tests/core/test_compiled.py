"""Tests of compiled functions: no product is fused unless it is written so, and no folder is needed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba", reason="Numba is not installed")

from benchmark.core.compiled import compile_function, fused_multiply_add


def test_a_function_is_compiled_even_if_no_folder_can_keep_it() -> None:
    add_one = eval("lambda x: x + 1")  # a source without a file
    assert compile_function(add_one)(1) == 2


def test_products_are_rounded_before_they_are_added_unless_they_are_fused() -> None:
    def add_product(a: np.float32, b: np.float32, c: np.float32) -> np.float32:
        return a * b + c

    def fuse(a: np.float32, b: np.float32, c: np.float32) -> np.float32:
        return fused_multiply_add(a, b, c)

    third, rest = np.float32(1 + 2**-12), np.float32(-1)
    exact = (1 + 2.0**-12) ** 2 - 1
    assert compile_function(fuse)(third, third, rest) == np.float32(exact)
    assert compile_function(add_product)(third, third, rest) == np.float32(third * third) + rest != np.float32(exact)
