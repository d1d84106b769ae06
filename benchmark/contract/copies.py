"""Copies of a method as `copy.deepcopy` makes them, in a third of the time: the checks of a variant need forty."""

from __future__ import annotations

import copy
import io
import pickle
import sys
from types import FunctionType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class CopySource(Generic[T]):
    """An object that is pickled once, so that only its tensors and configs are left to `copy.deepcopy`.

    Args:
        original: Object that is copied. Its tensors must not be modified, as they are read again for every copy.

    Raises:
        Exception: A part cannot be copied, such as a lock or a tensor that was computed from others with a gradient.
    """

    def __init__(self, original: T) -> None:
        file = io.BytesIO()
        writer = _Writer(file, protocol=pickle.HIGHEST_PROTOCOL)
        writer.dump(original)
        self._state, self._parts = file.getvalue(), writer.parts
        self.copy()

    def copy(self) -> T:
        """Return a new copy."""
        copied: T = _Reader(self._state, self._parts).load()
        return copied


class _Writer(pickle.Pickler):
    """Pickler that lists the parts that it leaves to `copy.deepcopy`, and writes their indices."""

    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self.parts: list[Any] = []

    def persistent_id(self, part: Any) -> int | None:
        """Return the index of a part that copies itself or has no name for pickle; None for all others."""
        if isinstance(part, (type, FunctionType)):
            if getattr(sys.modules.get(part.__module__), part.__qualname__, None) is part:
                return None
        elif not hasattr(part, "__deepcopy__"):
            return None
        self.parts.append(part)
        return len(self.parts) - 1


class _Reader(pickle.Unpickler):
    """Unpickler of one copy."""

    def __init__(self, state: bytes, parts: list[Any]) -> None:
        super().__init__(io.BytesIO(state))
        self._parts = parts
        self._memo: dict[int, Any] = {}  # of deepcopy: what is one part in the original is one in the copy

    def persistent_load(self, index: int) -> Any:
        """Return the copy of a part."""
        return copy.deepcopy(self._parts[index], self._memo)
