"""Settings of MCFA for toybox."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

TOY_MCFA: Mapping[str, Any] = MappingProxyType(
    {"mcfa.temperature": 50.0, "mcfa.local_alignment": 16.0, "mcfa.global_alignment": 1.0}
)
"""Overrides of a field `mcfa`; how they were chosen is in `methods/clip_points.py`."""
