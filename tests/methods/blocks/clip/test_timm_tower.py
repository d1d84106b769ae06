"""Image encoders that open_clip builds through timm compared with their own forward pass."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.layers.pos_embed_sincos import apply_rot_embed_cat
from torch import Tensor

from benchmark.core.seeding import torch_generator
from methods.blocks.clip import ClipImageEncoder
from methods.blocks.clip.attention import ATTENTIONS, Attention, run_block
from methods.blocks.padding import Grid
from tests.methods.blocks.clip.tiny_towers import MODELS, load_tiny

CLIPS = {model: load_tiny(model) for model in MODELS}
ENCODERS = {model: ClipImageEncoder(clip.visual) for model, clip in CLIPS.items()}
ROTARY = ["tiny-eva02", "tiny-pe"]
POOLED_BY_ATTENTION = ["tiny-siglip", "tiny-pe"]


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch_generator("timm tower", *shape))


@pytest.mark.parametrize("model", MODELS)
def test_the_embedding_of_an_image_equals_encode_image(model: str) -> None:
    images, encoder = _random(2, 3, 32, 32), ENCODERS[model]
    tokens, grid = encoder.embed(images)
    assert (grid, encoder.embed_dim) == (encoder.trained_grid, CLIPS[model].encode_image(images).shape[1])
    expected = CLIPS[model].encode_image(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(encoder.encode_image(tokens, grid=grid), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("model", [model for model in MODELS if ENCODERS[model].has_class_embedding])
def test_the_class_token_alone_equals_encode_image(model: str) -> None:
    images, encoder = _random(2, 3, 32, 32), ENCODERS[model]
    tokens, grid = encoder.embed(images)
    expected = CLIPS[model].encode_image(images)
    torch.testing.assert_close(encoder.encode_class_token(tokens, grid=grid), expected, rtol=0, atol=1e-5)
    all_tokens = encoder.run_last_blocks(tokens, start=0, grid=grid)
    torch.testing.assert_close(all_tokens[:, 0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_each_block_with_vanilla_attention_and_full_tail_is_timms_own(model: str) -> None:
    encoder, trunk = ENCODERS[model], CLIPS[model].visual.trunk
    tokens = _random(2, encoder.num_prefix + 16, encoder.width)
    rope = {"rope": trunk.rope.get_embed()} if model in ROTARY else {}
    for block, own in zip(encoder.list_blocks((4, 4)), trunk.blocks, strict=True):
        outputs = run_block(block, tokens, attend=ATTENTIONS["vanilla"], tail="full")
        torch.testing.assert_close(outputs, own(tokens, **rope), rtol=0, atol=2e-5)


@pytest.mark.parametrize("model", MODELS)
def test_the_value_path_is_the_block_applied_to_every_token_separately(model: str) -> None:
    """Attention over a single token is the identity, whatever its position is."""
    encoder, trunk = ENCODERS[model], CLIPS[model].visual.trunk
    tokens = _random(1, encoder.num_prefix + 16, encoder.width)
    alone = trunk.blocks[-1](tokens.transpose(0, 1)).transpose(0, 1)
    outputs = run_block(encoder.list_blocks((4, 4))[-1], tokens, attend=ATTENTIONS["value"], tail="full")
    torch.testing.assert_close(outputs, alone, rtol=0, atol=2e-5)


@pytest.mark.parametrize("model", MODELS)
def test_the_embedding_of_a_token_is_that_of_an_image_of_this_token_alone(model: str) -> None:
    encoder, trunk = ENCODERS[model], CLIPS[model].visual.trunk
    tokens = _random(1, 5, encoder.width)
    alone = trunk.norm(tokens.transpose(0, 1))
    if encoder.num_prefix and model not in POOLED_BY_ATTENTION:
        alone = alone.expand(-1, encoder.num_prefix + 1, -1)
    expected = CLIPS[model].visual.head(trunk.forward_head(alone))
    torch.testing.assert_close(encoder.project(tokens)[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ATTENTIONS)
@pytest.mark.parametrize("model", MODELS)
def test_every_attention_runs_on_any_grid(model: str, kind: Attention) -> None:
    encoder = ENCODERS[model]
    tokens, grid = encoder.embed(_random(1, 3, 24, 40), interpolation="bicubic")
    dense = encoder.run_last_blocks(tokens, start=0, attention=kind, tail="reduced", grid=grid)
    assert grid == (3, 5) and dense.shape == (1, encoder.num_prefix + 15, encoder.embed_dim)
    assert dense.isfinite().all()


@pytest.mark.parametrize("model", MODELS)
def test_the_dense_map_has_the_patches_and_no_other_token(model: str) -> None:
    encoder, images = ENCODERS[model], _random(2, 3, 16, 24)
    tokens, grid = encoder.embed(images)
    dense = encoder.run_last_blocks(tokens, start=0, attention="value", tail="reduced", grid=grid)
    patches = encoder.encode_patches(images, attention="value", tail="reduced")
    assert patches.shape == (2, encoder.embed_dim, 2, 3)
    assert torch.equal(patches[:, :, 1, 2], dense[:, -1])
    assert torch.equal(patches[:, :, 0, 0], dense[:, encoder.num_prefix])


@pytest.mark.parametrize("grid", [(3, 5), (6, 4)])
@pytest.mark.parametrize("model", ROTARY)
def test_rotary_positions_of_another_grid_are_those_of_a_network_built_for_it(model: str, grid: Grid) -> None:
    other = timm.create_model(model.replace("-", "_"), global_pool=CLIPS[model].visual.trunk.global_pool)
    other.set_input_size((8 * grid[0], 8 * grid[1]))
    other.blocks[0].load_state_dict(CLIPS[model].visual.trunk.blocks[0].state_dict())
    tokens = _random(1, 1 + grid[0] * grid[1], ENCODERS[model].width)
    expected = other.blocks[0](tokens, rope=other.rope.get_embed())
    outputs = run_block(ENCODERS[model].list_blocks(grid)[0], tokens, attend=ATTENTIONS["vanilla"], tail="full")
    torch.testing.assert_close(outputs, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("model", ROTARY)
def test_queries_and_keys_are_rotated_before_any_product_and_values_are_not(model: str) -> None:
    trunk, tokens = CLIPS[model].visual.trunk, _random(1, 17, 32)
    linear, layer = trunk.blocks[0].attn, ENCODERS[model].list_blocks((4, 4))[0].attention
    parts = [linear.q_proj, linear.k_proj, linear.v_proj] if linear.qkv is None else [linear.qkv]
    plain = torch.cat([part(tokens) for part in parts], dim=2).unflatten(2, (3, 2, 16)).permute(2, 0, 3, 1, 4)
    patches = apply_rot_embed_cat(plain[:2, :, :, 1:], trunk.rope.get_embed())
    expected = [*torch.cat([plain[:2, :, :, :1], patches], dim=3), plain[2]]
    torch.testing.assert_close(list(layer.project(tokens)), expected, rtol=0, atol=1e-5)


def test_rotary_positions_without_a_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="rotary positions: pass the grid"):
        ENCODERS["tiny-eva02"].run_blocks(_random(1, 17, 32), start=0, stop=1)


def test_the_trained_rotary_positions_stay_as_they_are() -> None:
    trunk = CLIPS["tiny-eva02"].visual.trunk
    before = trunk.rope.get_embed().clone()
    ENCODERS["tiny-eva02"].list_blocks((3, 5))
    assert torch.equal(trunk.rope.get_embed(), before)


@pytest.mark.parametrize("model", POOLED_BY_ATTENTION)
def test_an_encoder_without_class_embedding_refuses_to_encode_one(model: str) -> None:
    encoder = ENCODERS[model]
    tokens, grid = encoder.embed(_random(1, 3, 32, 32))
    with pytest.raises(ValueError, match="no class token with an embedding"):
        encoder.encode_class_token(tokens, grid=grid)


def test_a_network_that_is_no_vit_is_refused() -> None:
    visual = torch.nn.Module()
    visual.trunk = timm.create_model("resnet18")
    with pytest.raises(ValueError, match="no ViT image encoder that is supported: ResNet is no ViT"):
        ClipImageEncoder(visual)
