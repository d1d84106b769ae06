"""The fastest zlib that is installed: zlib-ng, or Python's own; what they unpack is the same."""

from __future__ import annotations

import importlib
import zlib
from types import ModuleType

try:
    zlib_ng: ModuleType | None = importlib.import_module("zlib_ng.zlib_ng")
except ImportError:
    zlib_ng = None

fastest: ModuleType = zlib if zlib_ng is None else zlib_ng
"""Module with the functions of `zlib`; its errors are its own `error`."""
