"""Sizes of the networks of timm that open_clip builds image encoders from, known without importing timm."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from methods.blocks.clip.timm_sizes import TimmSizes

TABLE = Path(__file__).with_suffix(".json")
"""Sizes by name in timm: all that the architectures of open_clip name and that are supported."""


@cache
def look_up_sizes(name: str) -> TimmSizes | None:
    """Return the sizes of a network of timm; None if it is not supported.

    Networks that no architecture of open_clip names are built without weights, which imports timm.

    Raises:
        ValueError: timm has no such network.
    """
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    if name in table:
        return TimmSizes(**table[name])
    from methods.blocks.clip.timm_tower import measure_tower  # not above: timm takes seconds to import

    try:
        return measure_tower(name)
    except RuntimeError as error:
        raise ValueError(f"open_clip gives the image encoder {name!r}, which timm does not have: {error}") from error
