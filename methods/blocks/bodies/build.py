"""One config type and one builder for every kind of segmentation body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from methods.blocks.bodies.d2.body import D2Body
from methods.blocks.bodies.d2.config import PREFIX, D2BodyConfig
from methods.blocks.bodies.smp_body import SmpBody, SmpBodyConfig


def _find_kind(value: Any) -> str | None:
    """Return which body a value describes.

    The kind is not a field of the configs: a new field would change the identity of all runs that have no such field.
    """
    if isinstance(value, str):
        return "d2" if value.startswith(PREFIX) else None
    names_config = isinstance(value, Mapping) and "config" in value
    return "d2" if names_config or isinstance(value, D2BodyConfig) else "smp"


BodyConfig = Annotated[
    Annotated[SmpBodyConfig, Tag("smp")] | Annotated[D2BodyConfig, Tag("d2")],
    Discriminator(
        _find_kind,
        custom_error_type="body",
        custom_error_message=f"expected {PREFIX}<config>, as in {PREFIX}Misc/semantic_R_50_FPN_1x.yaml, or fields",
    ),
]
"""Config of a body, of segmentation-models-pytorch or of Detectron2."""

Body = SmpBody | D2Body
"""Module from images (B, 3, H, W), RGB in 0-255, to features (B, channels, H/stride, W/stride)."""


def build_body(config: SmpBodyConfig | D2BodyConfig) -> Body:
    """Build the body that a config describes.

    Raises:
        KeyError: Detectron2 has no such config.
        ValueError: The body cannot be built.
    """
    return D2Body(config) if isinstance(config, D2BodyConfig) else SmpBody(config)
