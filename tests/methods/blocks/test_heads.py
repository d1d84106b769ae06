"""The CLIP Semantic Head and its replacements."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from methods.blocks.clip import ClipConfig, ClipImageEncoder, load_clip, to_map
from methods.blocks.heads import ClipSemanticHead, PlainHead
from methods.blocks.ridge import Ridge


@pytest.fixture(scope="module")
def image_encoder() -> ClipImageEncoder:
    return ClipImageEncoder(load_clip(ClipConfig(model="toy-ViT-16", weights="random")).visual)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("blocks", [1, 2, None])
def test_a_head_on_clips_own_tokens_gives_clips_dense_output(
    image_encoder: ClipImageEncoder, images: Tensor, blocks: int | None
) -> None:
    head = ClipSemanticHead(image_encoder, channels=8, blocks=blocks, attention="vanilla")
    tokens, _ = image_encoder.embed(images)
    entering = image_encoder.run_blocks(tokens, start=0, stop=head.start) if head.start else tokens
    image_encoder.visual.output_tokens = True
    pooled, patches = image_encoder.visual(images)
    image_encoder.visual.output_tokens = False
    dense = image_encoder.run_last_blocks(entering, start=head.start)
    torch.testing.assert_close(dense[:, 1:], patches @ image_encoder.visual.proj, rtol=0, atol=1e-5)
    torch.testing.assert_close(dense[:, 0], pooled, rtol=0, atol=1e-5)


def test_an_initialized_head_reproduces_clip_if_the_features_are_clips_tokens(
    image_encoder: ClipImageEncoder, images: Tensor
) -> None:
    tokens, grid = image_encoder.embed(images.repeat(40, 1, 1, 1) + torch.randn(80, 3, 64, 64) * 0.5)
    features = to_map(image_encoder.run_blocks(tokens, start=0, stop=3)[:, 1:], grid)
    head = ClipSemanticHead(image_encoder, channels=image_encoder.width, blocks=1, attention="value")
    head.norm = nn.Identity()
    head.start_from([(features, tokens, grid)])
    expected = to_map(image_encoder.run_last_blocks(tokens, start=0, attention="value")[:, 1:], grid)
    assert torch.cosine_similarity(head(features), expected).mean() > 0.95


def test_ridge_finds_a_linear_map() -> None:
    x = torch.randn(500, 6, generator=torch.Generator().manual_seed(1))
    weight, bias = torch.randn(3, 6), torch.randn(3)
    ridge = Ridge(penalty=1e-8)
    ridge.add(x[:200], x[:200] @ weight.T + bias)
    ridge.add(x[200:], x[200:] @ weight.T + bias)
    fitted_weight, fitted_bias = ridge.solve()
    torch.testing.assert_close(fitted_weight, weight, rtol=0, atol=1e-4)
    torch.testing.assert_close(fitted_bias, bias, rtol=0, atol=1e-4)


def test_ridge_without_pairs_is_refused() -> None:
    with pytest.raises(RuntimeError, match="no pairs"):
        Ridge().solve()


def test_a_head_deeper_than_clip_is_refused(image_encoder: ClipImageEncoder) -> None:
    with pytest.raises(ValueError, match=r"head\.blocks is 5, but this CLIP has only 4 blocks"):
        ClipSemanticHead(image_encoder, channels=8, blocks=5, attention="vanilla")


def test_a_plain_head_does_not_hold_the_clip_that_initializes_it(image_encoder: ClipImageEncoder) -> None:
    head = PlainHead(image_encoder, layers=(8, image_encoder.embed_dim), start="vanilla")
    assert (
        sum(parameter.numel() for parameter in head.parameters())
        == 2 * 8 + 8 * image_encoder.embed_dim + image_encoder.embed_dim
    )
