"""Settings of MCFA for toybox."""

from __future__ import annotations

from typing import Any


def make_toy_mcfa_presets() -> dict[str, Any]:
    """Return overrides of a field `mcfa`; how they were chosen is in `methods/clip_points.py`."""
    return {"mcfa.temperature": 50.0, "mcfa.local_alignment": 16.0, "mcfa.global_alignment": 1.0}
