"""A MaskFormer for toybox: on the encoder of the toy body, narrow, with few queries and layers."""

from __future__ import annotations

from typing import Any

from methods.blocks.clip.assets import TOY
from methods.blocks.mask_former.config import MaskFormerConfig, PyramidConfig
from methods.blocks.toy import TOY_BODY_CONFIG

TOY_MASK_FORMER = MaskFormerConfig(
    pyramid=PyramidConfig(encoder=TOY_BODY_CONFIG.encoder, weights=TOY, depth=TOY_BODY_CONFIG.depth, levels=2),
    pixel_channels=32,
    mask_channels=32,
    width=64,
    queries=12,
    layers=2,
    heads=4,
    hidden=128,
    dropout=0.0,
)
"""Masks of 16 x 16 positions and a decoder that sees 8 x 8; it starts from the same weights as the toy body."""


def toy_mask_former(field: str) -> dict[str, Any]:
    """Return settings that select this MaskFormer on toybox, for `toy_presets(settings=...)`.

    Args:
        field: Dotted key of a `MaskFormerConfig` in the method's config, such as "segmenter".
    """
    values = TOY_MASK_FORMER.model_dump(mode="json", exclude={"pyramid"})
    pyramid = TOY_MASK_FORMER.pyramid.model_dump(mode="json")
    return {
        **{f"{field}.pyramid.{name}": value for name, value in pyramid.items()},
        **{f"{field}.{name}": value for name, value in values.items()},
    }
