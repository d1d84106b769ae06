"""Copies of an object as `copy.deepcopy` makes them, in a third of the time: the object is pickled once."""

from __future__ import annotations

import copy
import io
import pickle
import sys
import weakref
from types import BuiltinFunctionType, FunctionType
from typing import Any, Generic, TypeVar

from torch import Tensor

T = TypeVar("T")

_SHARED = (FunctionType, BuiltinFunctionType, type, property, weakref.ref)
"""Kinds of objects that a deep copy shares with its original."""


class CopySource(Generic[T]):
    """State of an object, of which any number of independent copies can be made.

    Functions and classes are shared with the object, as by `copy.deepcopy`, so that those that pickle cannot name are
    allowed. Tensors, and other parts that copy themselves, are copied by `copy.deepcopy`.

    Args:
        original: Object that is copied. Its tensors must not be modified, as they are read again for every copy.

    Raises:
        Exception: A part cannot be copied, such as a lock or a tensor that was computed from others with a gradient.
    """

    def __init__(self, original: T) -> None:
        self._kept: list[Any] = []
        file = io.BytesIO()
        _Writer(file, self._kept).dump(original)
        self._state = file.getvalue()

    def copy(self) -> T:
        """Return a new copy."""
        copied: T = _Reader(io.BytesIO(self._state), self._kept).load()
        return copied


class _Writer(pickle.Pickler):
    """Pickler that puts parts which it does not pickle into a list, and their places into the file."""

    def __init__(self, file: io.BytesIO, kept: list[Any]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._kept = kept

    def persistent_id(self, part: Any) -> int | None:
        """Return the place of a part in the list; None for parts that are pickled."""
        if not (isinstance(part, _SHARED) or hasattr(part, "__deepcopy__")) or _is_importable(part):
            return None
        if isinstance(part, Tensor) and not part.is_leaf:
            raise ValueError("a tensor with a gradient that was computed from others cannot be copied")
        self._kept.append(part)
        return len(self._kept) - 1


def _is_importable(part: Any) -> bool:
    """Return whether pickle can name a function or class, which is faster than a place in the list."""
    module, name = getattr(part, "__module__", None), getattr(part, "__qualname__", None)
    return isinstance(name, str) and getattr(sys.modules.get(str(module)), name, None) is part


class _Reader(pickle.Unpickler):
    """Unpickler that takes shared objects from a list, and copies of its other parts."""

    def __init__(self, file: io.BytesIO, kept: list[Any]) -> None:
        super().__init__(file)
        self._kept = kept
        self._memo: dict[int, Any] = {}  # of deepcopy: the parts that are copied already

    def persistent_load(self, place: int) -> Any:
        """Return the part at a place of the list, or its copy."""
        part = self._kept[place]
        return part if isinstance(part, _SHARED) else copy.deepcopy(part, self._memo)
