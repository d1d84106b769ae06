"""The CLIP Semantic Head."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from methods.blocks.clip import ClipConfig, ClipImageEncoder, load_clip, to_map
from methods.blocks.heads import CshConfig, build_head
from methods.blocks.heads.csh import ClipSemanticHead
from methods.blocks.heads.head import RandomlyStartedHead
from methods.blocks.padding import Grid


@pytest.fixture(scope="module")
def image_encoder() -> ClipImageEncoder:
    return ClipImageEncoder(load_clip(ClipConfig(model="toy-ViT-8", weights="random")).visual)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def make_csh(image_encoder: ClipImageEncoder, *, channels: int = 8, **fields: Any) -> ClipSemanticHead:
    head = build_head(CshConfig(**fields), image_encoder=image_encoder, channels=channels)
    assert isinstance(head, ClipSemanticHead)
    return head


def make_pairs(image_encoder: ClipImageEncoder, images: Tensor) -> tuple[Tensor, Tensor, Grid]:
    """Return CLIP's own tokens before its last block as features, with its first tokens and their grid."""
    tokens, grid = image_encoder.embed(images.repeat(40, 1, 1, 1) + torch.randn(80, 3, 64, 64) * 0.5)
    entering = image_encoder.run_blocks(tokens, start=0, stop=image_encoder.depth - 1)
    return to_map(entering[:, 1:], grid), tokens, grid


@pytest.mark.parametrize("blocks", [1, 2, None])
def test_a_head_on_clips_own_tokens_gives_clips_dense_output(
    image_encoder: ClipImageEncoder, images: Tensor, blocks: int | None
) -> None:
    head = make_csh(image_encoder, blocks=blocks)
    tokens, _ = image_encoder.embed(images)
    entering = image_encoder.run_blocks(tokens, start=0, stop=head.start) if head.start else tokens
    image_encoder.visual.output_tokens = True
    pooled, patches = image_encoder.visual(images)
    image_encoder.visual.output_tokens = False
    dense = image_encoder.run_last_blocks(entering, start=head.start)
    torch.testing.assert_close(dense[:, 1:], patches @ image_encoder.visual.proj, rtol=0, atol=1e-5)
    torch.testing.assert_close(dense[:, 0], pooled, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"attention": "value", "tail": "full"},
        {"attention": "key-key", "tail": "reduced"},
        {"attention": "query-query", "tail": "full", "layers": 2},
        {"attention": "vanilla", "tail": "full", "class_token": "learned", "positions": False},
    ],
    ids=str,
)
def test_an_initialized_head_reproduces_clip_if_the_features_are_clips_tokens(
    image_encoder: ClipImageEncoder, images: Tensor, options: dict[str, Any]
) -> None:
    features, tokens, grid = make_pairs(image_encoder, images)
    head = make_csh(image_encoder, channels=image_encoder.width, norm=None, **options)
    head.start_from([(features, tokens, grid)])
    last_block = {name: options[name] for name in ("attention", "tail")}
    expected = to_map(image_encoder.run_last_blocks(tokens, start=0, **last_block)[:, 1:], grid)
    assert torch.cosine_similarity(head(features), expected).mean() > 0.95


def test_a_learned_class_token_starts_at_the_mean_of_clips(image_encoder: ClipImageEncoder, images: Tensor) -> None:
    features, tokens, grid = make_pairs(image_encoder, images)
    head = make_csh(image_encoder, channels=image_encoder.width, class_token="learned", positions=False)
    head.start_from([(features[:50], tokens[:50], grid), (features[50:], tokens[50:], grid)])
    mean = image_encoder.run_blocks(tokens, start=0, stop=head.start)[:, 0].mean(dim=0)
    torch.testing.assert_close(head.compute_tokens(features)[7, 0], mean, rtol=0, atol=1e-5)


def test_a_learned_class_token_of_the_full_clip_head_starts_at_clips_own(
    image_encoder: ClipImageEncoder, images: Tensor
) -> None:
    features, tokens, grid = make_pairs(image_encoder, images)
    head = make_csh(image_encoder, channels=image_encoder.width, blocks=None, class_token="learned")
    head.start_from([(features, tokens, grid)])
    torch.testing.assert_close(head.compute_tokens(features)[:, 0], tokens[:, 0], rtol=0, atol=1e-5)


def test_without_class_token_the_patches_attend_to_patches_only(image_encoder: ClipImageEncoder) -> None:
    head, features = make_csh(image_encoder, class_token=None), torch.randn(2, 8, 3, 5)
    patches = head.compute_tokens(features)
    with_token = make_csh(image_encoder)
    with_token.load_state_dict(head.state_dict(), strict=False)
    assert torch.equal(patches, with_token.compute_tokens(features)[:, 1:])
    expected = image_encoder.run_last_blocks(patches, start=head.start, attention=head.attention, tail=head.tail)
    assert torch.equal(head(features), to_map(expected, (3, 5)))


def test_without_positions_equal_features_give_equal_tokens(image_encoder: ClipImageEncoder) -> None:
    features = torch.ones(1, 8, 2, 3)
    without, with_positions = (
        make_csh(image_encoder, positions=positions).compute_tokens(features)[0, 1:] for positions in (False, True)
    )
    assert torch.equal(without, without[:1].expand(6, -1))
    assert not torch.equal(with_positions[0], with_positions[1])


def test_the_second_layer_of_the_adapter_is_zero_at_the_start_and_trained(image_encoder: ClipImageEncoder) -> None:
    head, features = make_csh(image_encoder, layers=2), torch.randn(1, 8, 2, 2)
    assert head.adapter.branch is not None
    assert torch.equal(head.adapter(features), head.adapter.linear(features))
    head(features).sum().backward()
    assert float(head.adapter.branch[2].weight.grad.abs().sum()) > 0


@pytest.mark.parametrize("kind", [None, "channel"])
def test_the_norm_of_the_features_can_be_left_out(image_encoder: ClipImageEncoder, kind: Any) -> None:
    head, features = make_csh(image_encoder, norm=kind), torch.randn(2, 8, 3, 3) * 5 + 1
    entering = features if kind is None else nn.functional.layer_norm(features.movedim(1, 3), [8]).movedim(3, 1)
    torch.testing.assert_close(head.norm(features), entering)


def test_a_randomly_started_head_keeps_its_values_but_computes_all_pairs(
    image_encoder: ClipImageEncoder, images: Tensor
) -> None:
    head = build_head(CshConfig(start="random"), image_encoder=image_encoder, channels=image_encoder.width)
    assert isinstance(head, RandomlyStartedHead)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    pairs = iter([make_pairs(image_encoder, images)] * 2)
    head.start_from(pairs)
    assert next(pairs, None) is None
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())


def test_a_head_deeper_than_clip_is_refused(image_encoder: ClipImageEncoder) -> None:
    with pytest.raises(ValueError, match=r"head\.blocks is 5, but this CLIP has only 3 blocks"):
        make_csh(image_encoder, blocks=5)
