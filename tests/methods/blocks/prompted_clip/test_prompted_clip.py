"""CLIP with prompts among its patches."""

from __future__ import annotations

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks import ClipConfig, ClipImageEncoder, load_clip
from methods.blocks.clip.attention import attend_as_trained, run_block
from methods.blocks.prompted_clip import PromptedClip, PromptedClipConfig, PromptsConfig

PLAIN = PromptedClipConfig(
    prompts=None, final_norm=False, doubled_class_embedding=False, pixel_statistics="CLIP"
)  # CLIP as it was trained
IMAGES = 255 * torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(0))


@cache
def load_encoder() -> ClipImageEncoder:
    return ClipImageEncoder(load_clip(ClipConfig(model="toy-ViT-8", weights="toy")).visual)


def with_fields(**fields: object) -> PromptedClip:
    """Return CLIP as it was trained, but with some fields of its config."""
    return PromptedClip(load_encoder(), PLAIN.model_copy(update=fields), keep=[0])


def test_without_anything_of_zegclip_it_is_clip() -> None:
    features, encoder = with_fields()(IMAGES), load_encoder()
    tokens, grid = encoder.embed(with_fields().normalize(IMAGES))
    embeddings = F.normalize(encoder.run_last_blocks(tokens, start=0, grid=grid), dim=2)
    torch.testing.assert_close(features.image, embeddings[:, 0])
    torch.testing.assert_close(features.patches, embeddings[:, 1:])
    torch.testing.assert_close(features.inner[0], encoder.run_blocks(tokens, start=0, stop=1, grid=grid)[:, 1:])


def test_prompts_are_replaced_before_every_block() -> None:
    prompted, encoder = with_fields(prompts=PromptsConfig(count=3)), load_encoder()
    assert prompted.prompts is not None
    tokens, grid = encoder.embed(prompted.normalize(IMAGES))
    tokens = encoder.enter(tokens)
    for block, vectors in zip(encoder.list_blocks(grid), prompted.prompts.vectors, strict=True):
        prompts = prompted.prompts.project(vectors).expand(2, -1, -1)
        tokens = torch.cat([tokens[:, :1], prompts, tokens[:, 1:]], dim=1)
        tokens = run_block(block, tokens, attend=attend_as_trained, tail="full")
        tokens = torch.cat([tokens[:, :1], tokens[:, 4:]], dim=1)
    expected = F.normalize(encoder.project(tokens), dim=2)
    torch.testing.assert_close(prompted(IMAGES).patches, expected[:, 1:])


def test_blocks_beyond_the_depth_have_no_prompts() -> None:
    prompts = with_fields(prompts=PromptsConfig(count=3, depth=2)).prompts
    assert prompts is not None
    assert [vectors.shape[:2] for vectors in prompts(2, None)] == [(2, 3), (2, 3), (2, 0)]


def test_the_trained_norm_precedes_that_of_clip_and_acts_on_inner_tokens() -> None:
    normed, encoder = with_fields(final_norm=True), load_encoder()
    weight = normed.norm.weight = torch.nn.Parameter(torch.linspace(0, 2, encoder.width))
    plain = with_fields()(IMAGES).inner[0]
    tokens, grid = encoder.embed(normed.normalize(IMAGES))
    last = F.layer_norm(encoder.run_blocks(tokens, start=0, stop=3, grid=grid), weight.shape, weight, eps=1e-6)
    torch.testing.assert_close(normed(IMAGES).inner[0], F.layer_norm(plain, weight.shape, weight, eps=1e-6))
    torch.testing.assert_close(normed(IMAGES).image, F.normalize(encoder.project(last)[:, 0], dim=1))


@pytest.mark.parametrize(("field", "value"), [("doubled_class_embedding", True), ("pixel_statistics", "ImageNet")])
def test_each_detail_of_the_official_code_changes_the_features(field: str, value: object) -> None:
    changed, plain = (encoder(IMAGES).image for encoder in (with_fields(**{field: value}), with_fields()))
    assert (changed - plain).abs().max() > 1e-3


def test_dropout_of_prompts_is_that_of_the_generator() -> None:
    def embed(seed: int | None) -> Tensor:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        features: Tensor = prompted(IMAGES, generator).image
        return features

    prompted = with_fields(prompts=PromptsConfig(count=3, dropout=0.5))
    assert torch.equal(embed(0), embed(0))
    assert not torch.allclose(embed(0), embed(1))
    assert not torch.allclose(embed(0), embed(None))


def test_more_depth_than_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^prompts\.depth=4 is more than the 3 blocks of the image encoder$"):
        with_fields(prompts=PromptsConfig(depth=4))
