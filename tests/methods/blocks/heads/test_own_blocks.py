"""Copies of CLIP's last blocks in the CLIP Semantic Head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.blocks.clip import ClipConfig, ClipImageEncoder, load_clip
from methods.blocks.heads import CshConfig, build_head
from methods.blocks.heads.config import BlockWeights
from methods.blocks.heads.csh import ClipSemanticHead


@pytest.fixture(scope="module")
def image_encoder() -> ClipImageEncoder:
    return ClipImageEncoder(load_clip(ClipConfig(model="toy-ViT-8", weights="random")).visual)


def make_csh(image_encoder: ClipImageEncoder, weights: BlockWeights, *, seed: int = 0) -> ClipSemanticHead:
    torch.manual_seed(seed)
    head = build_head(CshConfig(block_weights=weights), image_encoder=image_encoder, channels=8)
    assert isinstance(head, ClipSemanticHead)
    return head


def list_trained_names(module: nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if parameter.requires_grad}


def test_trained_blocks_start_as_clips_own(image_encoder: ClipImageEncoder) -> None:
    frozen, trained = (make_csh(image_encoder, weights) for weights in ("CLIP", "CLIP, trained"))
    trained.load_state_dict(frozen.state_dict(), strict=True)
    features = torch.randn(2, 8, 4, 5)
    assert torch.equal(frozen(features), trained(features))


def test_training_the_copy_leaves_clip_as_it_is(image_encoder: ClipImageEncoder) -> None:
    before = {name: value.clone() for name, value in image_encoder.state_dict().items()}
    head = make_csh(image_encoder, "CLIP, trained")
    optimizer = torch.optim.SGD([value for value in head.parameters() if value.requires_grad], lr=1.0)
    head(torch.randn(2, 8, 4, 5)).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in image_encoder.state_dict().items())
    assert not torch.equal(head.last_blocks.visual.proj, image_encoder.visual.proj)
    assert all(value.grad is not None for value in head.parameters() if value.requires_grad)


def test_only_the_blocks_of_the_head_are_copied(image_encoder: ClipImageEncoder) -> None:
    head = make_csh(image_encoder, "CLIP, trained")
    first, last = (head.last_blocks.visual.transformer.resblocks[index] for index in (0, -1))
    assert first.attn.in_proj_weight is image_encoder.visual.transformer.resblocks[0].attn.in_proj_weight
    assert last.attn.in_proj_weight is not image_encoder.visual.transformer.resblocks[-1].attn.in_proj_weight
    prefix = f"visual.transformer.resblocks.{image_encoder.depth - 1}."
    assert all(
        name.startswith((prefix, "visual.ln_post.")) or name == "visual.proj"
        for name in list_trained_names(head.last_blocks)
    )


def test_the_unused_mlp_of_a_reduced_tail_stays_frozen(image_encoder: ClipImageEncoder) -> None:
    config = CshConfig(block_weights="CLIP, trained", attention="query-query", tail="reduced")
    head = build_head(config, image_encoder=image_encoder, channels=8)
    assert isinstance(head, ClipSemanticHead)
    assert not [name for name in list_trained_names(head.last_blocks) if ".mlp." in name or ".ln_2." in name]
    head(torch.randn(2, 8, 4, 5)).sum().backward()
    assert all(value.grad is not None for value in head.parameters() if value.requires_grad)


@pytest.mark.parametrize("weights", ["random", "random, trained"])
def test_random_blocks_depend_on_the_seed_alone(image_encoder: ClipImageEncoder, weights: BlockWeights) -> None:
    one, same, other = (make_csh(image_encoder, weights, seed=seed) for seed in (0, 0, 1))
    features = torch.randn(2, 8, 4, 5)
    assert torch.equal(one(features), same(features))
    own = one.last_blocks.visual.transformer.resblocks[-1].attn.in_proj_weight
    assert not torch.equal(own, other.last_blocks.visual.transformer.resblocks[-1].attn.in_proj_weight)
    assert not torch.equal(own, image_encoder.visual.transformer.resblocks[-1].attn.in_proj_weight)
    assert bool(list_trained_names(one.last_blocks)) == (weights == "random, trained")
