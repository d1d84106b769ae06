"""Configs of the toy CLIP and the toy body, which replace real backbones on toybox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from methods.blocks.bodies.smp_body import SmpBodyConfig
from methods.blocks.clip.assets import TOY, TOY_MODEL
from methods.blocks.clip.config import ClipConfig

TOY_CLIP_CONFIG = ClipConfig(model=TOY_MODEL, weights=TOY)
TOY_BODY_CONFIG = SmpBodyConfig(encoder="tu-test_resnet", weights=TOY, depth=3, stride=8, channels=96, rates=(1, 2, 3))


def toy_presets(
    *, clip: bool = True, body: bool = True, settings: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Return presets that select the toy backbones on toybox.

    Args:
        clip: Whether the method's config has a field `clip`.
        body: Whether the method's config has a field `body`.
        settings: Further overrides on toybox, by dotted key.
    """
    parts = {"clip": TOY_CLIP_CONFIG if clip else None, "body": TOY_BODY_CONFIG if body else None}
    fields = {
        f"{part}.{name}": value
        for part, config in parts.items()
        if config is not None
        for name, value in config.model_dump(mode="json").items()
    }
    return {"toybox": {**fields, **(settings or {})}}
