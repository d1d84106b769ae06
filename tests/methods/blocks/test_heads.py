"""The CLIP Semantic Head and what replaces it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from methods.blocks.clip.config import ClipConfig, load_clip
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.heads import ClipSemanticHead, PlainHead
from methods.blocks.ridge import Ridge


@pytest.fixture(scope="module")
def trunk() -> ClipImageEncoder:
    return ClipImageEncoder(load_clip(ClipConfig(model="toy-ViT-16", weights="random")).visual)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("blocks", [1, 2, None])
def test_head_fed_with_clips_own_tokens_gives_clips_dense_output(
    trunk: ClipImageEncoder, images: Tensor, blocks: int | None
) -> None:
    head = ClipSemanticHead(trunk, channels=8, blocks=blocks, attention="vanilla")
    tokens, _ = trunk.embed(images)
    entering = trunk.blocks(tokens, start=0, stop=head.start)
    trunk.visual.output_tokens = True
    pooled, patches = trunk.visual(images)
    trunk.visual.output_tokens = False
    dense = trunk.finish(entering, start=head.start)
    torch.testing.assert_close(dense[:, 1:], patches @ trunk.visual.proj, rtol=0, atol=1e-5)
    torch.testing.assert_close(dense[:, 0], pooled, rtol=0, atol=1e-5)


def test_warm_started_head_reproduces_clip_where_features_are_clips_tokens(
    trunk: ClipImageEncoder, images: Tensor
) -> None:
    tokens, grid = trunk.embed(images.repeat(40, 1, 1, 1) + torch.randn(80, 3, 64, 64) * 0.5)
    features = to_map(trunk.blocks(tokens, start=0, stop=3)[:, 1:], grid)
    head = ClipSemanticHead(trunk, channels=trunk.width, blocks=1, attention="value")
    head.norm = nn.Identity()
    head.start_from([(features, tokens, grid)])
    wanted = to_map(trunk.finish(tokens, start=0, attention="value")[:, 1:], grid)
    assert torch.cosine_similarity(head(features), wanted).mean() > 0.95


def test_ridge_finds_a_linear_map() -> None:
    x = torch.randn(500, 6, generator=torch.Generator().manual_seed(1))
    weight, bias = torch.randn(3, 6), torch.randn(3)
    ridge = Ridge(penalty=1e-8)
    ridge.add(x[:200], x[:200] @ weight.T + bias)
    ridge.add(x[200:], x[200:] @ weight.T + bias)
    found, offset = ridge.solve()
    torch.testing.assert_close(found, weight, rtol=0, atol=1e-4)
    torch.testing.assert_close(offset, bias, rtol=0, atol=1e-4)


def test_ridge_without_pairs_says_so() -> None:
    with pytest.raises(RuntimeError, match="no pairs"):
        Ridge().solve()


def test_head_deeper_than_clip_is_refused(trunk: ClipImageEncoder) -> None:
    with pytest.raises(ValueError, match="wants 5 blocks, and this CLIP has 4"):
        ClipSemanticHead(trunk, channels=8, blocks=5, attention="vanilla")


def test_plain_head_does_not_hold_the_clip_that_starts_it(trunk: ClipImageEncoder) -> None:
    head = PlainHead(trunk, layers=(8, trunk.joint))
    assert sum(parameter.numel() for parameter in head.parameters()) == 2 * 8 + 8 * trunk.joint + trunk.joint
