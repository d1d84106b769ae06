"""Compilation of numerical loops with Numba, kept on disk where possible.

Numba is imported with this module, so it and modules with compiled functions are imported only where they compute.
Without "fastmath", LLVM keeps the order of operations and fuses no product with a sum, so that a loop has the same
result whatever vector instructions a processor has; a fused product is written as `fused_multiply_add`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])

if numba.config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set, and loops in plain Python would take hours")


def compile_function(function: Function) -> Function:
    """Compile a function, and those of its file that it calls, when it is called for the first time.

    The result is kept in NUMBA_CACHE_DIR, next to the source or in the cache of the user, whichever can be written
    first, and otherwise nowhere. Numba replaces files at once, so that processes may compile at the same time, and
    looks them up by processor, time and size of the source.
    """
    compiled: Function
    try:
        compiled = numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # no folder can be written
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


def compile_part(function: Function) -> Function:
    """Compile a function with every compiled function of the same file that calls it; it is not kept on its own."""
    compiled: Function = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


def _define_fused_multiply_add(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), _generate


def _define_interpret_as_float(typing_context: Any, bits: Any) -> Any:
    def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), _generate


fused_multiply_add: Any = intrinsic(_define_fused_multiply_add)
"""Function for compiled functions: a * b + c in float32, rounded once."""
interpret_as_float: Any = intrinsic(_define_interpret_as_float)
"""Function for compiled functions: the float32 that has the bits of an int32."""
