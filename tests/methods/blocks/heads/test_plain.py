"""The replacements of the CLIP Semantic Head."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from methods.blocks.clip import ClipConfig, ClipImageEncoder, load_clip, to_map
from methods.blocks.heads import LinearConfig, MlpConfig, build_head


@pytest.fixture(scope="module")
def image_encoder() -> ClipImageEncoder:
    return ClipImageEncoder(load_clip(ClipConfig(model="toy-ViT-8", weights="random")).visual)


def test_a_linear_head_does_not_hold_the_clip_that_initializes_it(image_encoder: ClipImageEncoder) -> None:
    head = build_head(LinearConfig(), image_encoder=image_encoder, channels=8)
    assert (
        sum(parameter.numel() for parameter in head.parameters())
        == 2 * 8 + 8 * image_encoder.embed_dim + image_encoder.embed_dim
    )


@pytest.mark.parametrize("config", [LinearConfig, MlpConfig])
@pytest.mark.parametrize(
    "last_block", [{"start": "query-query", "start_tail": "reduced"}, {"start": "key-key", "start_tail": "full"}]
)
def test_a_replacement_starts_from_the_chosen_dense_map(
    image_encoder: ClipImageEncoder, config: Any, last_block: dict[str, Any]
) -> None:
    tokens, grid = image_encoder.embed(torch.randn(60, 3, 64, 64))
    attention, tail = last_block["start"], last_block["start_tail"]
    target = to_map(image_encoder.run_last_blocks(tokens, start=0, attention=attention, tail=tail)[:, 1:], grid)
    features = target / target.norm(dim=1, keepdim=True)
    head = build_head(config(norm=None, **last_block), image_encoder=image_encoder, channels=features.shape[1])
    head.start_from([(features, tokens, grid)])
    assert torch.cosine_similarity(head(features), target).mean() > 0.95
