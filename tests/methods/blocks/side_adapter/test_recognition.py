"""Recognition of masks: copies of CLIP's class token with attention biases, and pooling under masks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip import ClipImageEncoder
from methods.blocks.padding import Grid
from methods.blocks.side_adapter import (
    BiasedTokensConfig,
    MaskPoolingConfig,
    Proposals,
    build_recognition,
    embed_copies,
    get_positions,
    pool_by_maximum,
    run_to_blocks,
)
from methods.blocks.side_adapter.recognition import BiasHead, count_heads
from tests.methods.blocks.clip.tiny_towers import load_tiny
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder, draw_image
from tests.methods.blocks.side_adapter.tiny_san import SIDE

GRID = (4, 6)


def _enter(encoder: ClipImageEncoder, start: int) -> tuple[Tensor, Grid]:
    """Return the tokens of two images before a block, and their grid."""
    image = draw_image(4 * encoder.patch_size, 6 * encoder.patch_size)
    tokens, grid = encoder.embed(torch.cat([image, image.flip(3)]))
    return run_to_blocks(encoder, tokens, grid=grid, stops=[start])[start], grid


@torch.no_grad()
@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_copy_without_biases_is_the_class_token(start: int) -> None:
    encoder = build_tiny_encoder()
    tokens, grid = _enter(encoder, start)
    embedded = embed_copies(encoder, tokens, torch.zeros(2, 1, 5, *grid), grid=grid, start=start)
    image = draw_image(64, 96)
    ordinary = encoder.encode_image(encoder.embed(torch.cat([image, image.flip(3)]))[0])
    torch.testing.assert_close(embedded, ordinary[:, None].expand(-1, 5, -1), rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("model", ["tiny-eva02", "tiny-registers"])
def test_a_copy_without_biases_is_the_class_token_of_other_encoders(model: str) -> None:
    encoder = ClipImageEncoder(load_tiny(model).visual)
    tokens, grid = _enter(encoder, 1)
    embedded = embed_copies(
        encoder, tokens, torch.zeros(2, 1, 30, *grid), grid=grid, start=1
    )  # more copies than patches
    ordinary = encoder.run_last_blocks(tokens, start=1, grid=grid)[:, :1]
    torch.testing.assert_close(embedded, ordinary.expand(-1, 30, -1), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_copy_depends_on_its_own_biases_alone() -> None:
    encoder = build_tiny_encoder()
    tokens, grid = _enter(encoder, 1)
    biases = torch.randn(2, 2, 3, *grid, generator=torch.Generator().manual_seed(0))
    together = embed_copies(encoder, tokens, biases, grid=grid, start=1)
    alone = embed_copies(encoder, tokens, biases[:, :, 1:2], grid=grid, start=1)
    torch.testing.assert_close(together[:, 1:2], alone, rtol=1e-4, atol=1e-4)
    assert float((together[:, 0] - together[:, 1]).abs().max()) > 0.01


@torch.no_grad()
def test_a_patch_with_a_very_negative_bias_is_not_seen_in_the_last_block() -> None:
    encoder = build_tiny_encoder()
    tokens, grid = _enter(encoder, 3)
    changed = tokens.clone()
    changed[:, 1 + 7] = tokens[:, 1 + 7].flip(1)  # patch (1, 1) of 4 x 6
    biases = torch.zeros(2, 1, 2, *grid)
    biases[:, :, 0, 1, 1] = -1e4
    (hidden, seen), (hidden_too, seen_too) = (
        embed_copies(encoder, some, biases, grid=grid, start=3).unbind(1) for some in (tokens, changed)
    )
    torch.testing.assert_close(hidden, hidden_too)
    assert float((seen - seen_too).abs().max()) > 0.001


@pytest.mark.parametrize("size", [(2, 3), (3, 4), (4, 6), (7, 9)])
def test_pooling_is_that_of_torch(size: Grid) -> None:
    maps = torch.randn(2, 3, *GRID, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pool_by_maximum(maps, size), F.adaptive_max_pool2d(maps, size))


@torch.no_grad()
def test_tokens_that_enter_blocks_are_those_of_clip() -> None:
    encoder = build_tiny_encoder()
    tokens, grid = encoder.embed(draw_image(64, 96))
    entering = run_to_blocks(encoder, tokens, grid=grid, stops=[0, 3, 2])
    assert sorted(entering) == [0, 2, 3]
    torch.testing.assert_close(entering[0], encoder.enter(tokens))
    torch.testing.assert_close(entering[3], encoder.run_blocks(tokens, start=0, stop=3))


def _propose(masks: Tensor) -> Proposals:
    queries = torch.randn(2, masks.shape[1], SIDE.channels, generator=torch.Generator().manual_seed(1))
    patches = torch.randn(2, masks.shape[2] * masks.shape[3], SIDE.width, generator=torch.Generator().manual_seed(2))
    return Proposals(queries=queries, patches=patches, masks=masks)


@torch.no_grad()
def test_mask_pooling_averages_the_embeddings_under_a_mask() -> None:
    encoder = build_tiny_encoder()
    tokens, grid = _enter(encoder, 3)
    masks = torch.full((2, 2, *GRID), -100.0)
    masks[:, 0, 1, 2], masks[:, 1, 0, :2] = 100, 100
    recognition = build_recognition(MaskPoolingConfig(), side=SIDE, encoder=encoder)
    (embedded,) = recognition(encoder, tokens, grid=grid, proposals=[_propose(masks)])
    dense = encoder.run_last_blocks(tokens, start=3)[:, 1:].unflatten(1, GRID)
    expected = torch.stack([dense[:, 1, 2], dense[:, 0, :2].mean(dim=1)], dim=1)
    torch.testing.assert_close(embedded, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_every_head_of_clip_has_its_own_biases_or_all_share_the_masks() -> None:
    encoder = build_tiny_encoder()
    proposals = _propose(torch.randn(2, 3, *GRID))
    assert count_heads(encoder) == 2
    own, shared = BiasHead(SIDE, heads=2)(proposals), BiasHead(SIDE, heads=None)
    assert own.shape == (2, 2, 3, *GRID) and not torch.allclose(own[:, 0], own[:, 1])
    expected = proposals.masks[:, None] * shared.scale.weight.item() + shared.scale.bias.item()
    torch.testing.assert_close(shared(proposals), expected)


def test_recognition_starts_at_three_quarters_of_clip() -> None:
    recognition = build_recognition(BiasedTokensConfig(), side=SIDE, encoder=build_tiny_encoder())
    assert recognition.start == 3


@pytest.mark.parametrize("model", ["tiny-eva02", "tiny-registers"])
def test_positions_of_other_encoders_influence_their_tokens(model: str) -> None:
    encoder = ClipImageEncoder(load_tiny(model).visual)
    positions = get_positions(encoder).requires_grad_()
    encoder.embed(draw_image(4 * encoder.patch_size, 6 * encoder.patch_size))[0].sum().backward()
    assert positions.grad is not None and bool((positions.grad != 0).any())
