"""What methods use on toybox instead of their real backbones: the toy CLIP and the toy body that ship."""

from __future__ import annotations

from typing import Any

from methods.blocks.bodies.body import BodyConfig
from methods.blocks.clip.config import TOY_MODEL, ClipConfig

TOY_CLIP_CONFIG = ClipConfig(model=TOY_MODEL, weights="toy")
TOY_BODY_CONFIG = BodyConfig(encoder="tu-test_resnet", weights="toy", depth=3, stride=8, channels=96, rates=(1, 2, 3))


def toy_presets(*, clip: bool = True, body: bool = True) -> dict[str, dict[str, Any]]:
    """Presets of a recipe whose config has a field `clip`, a field `body`, or both."""
    parts = {"clip": TOY_CLIP_CONFIG if clip else None, "body": TOY_BODY_CONFIG if body else None}
    fields = {
        f"{part}.{name}": value
        for part, config in parts.items()
        if config is not None
        for name, value in config.model_dump(mode="json").items()
    }
    return {"toybox": fields}
