"""Trained updates of frozen tensors: what moves, and how fast."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from methods.blocks import ClipConfig, ClipImageEncoder, load_clip
from methods.blocks.cost_aggregation.fine_tuning import (
    FineTuningConfig,
    SlowUpdate,
    fine_tune_image_encoder,
    fine_tune_text_encoder,
    store_as_frozen,
)

CLIP = ClipConfig(model="toy-ViT-8", weights="random")


def _name_trained(module: torch.nn.Module) -> list[str]:
    return [name for name, value in module.named_parameters() if value.requires_grad]


def test_a_step_of_the_optimizer_moves_a_tensor_by_a_share_of_the_rate() -> None:
    slow, frozen = SlowUpdate((2, 3), rate=0.01), torch.ones(2, 3)
    optimizer = torch.optim.AdamW(slow.parameters(), lr=0.5, weight_decay=0)
    (slow(frozen) * torch.tensor([1.0, -7.0, 1e-3])).sum().backward()
    torch.testing.assert_close(slow.update.grad, torch.tensor([1.0, -7.0, 1e-3]).expand(2, 3))
    optimizer.step()
    torch.testing.assert_close(slow(frozen), 1 - 0.005 * torch.tensor([1.0, -1.0, 1.0]).expand(2, 3))


def test_only_the_named_thirds_are_updated() -> None:
    slow = SlowUpdate((6,), rate=0.5, thirds=(0, 2))
    slow.update.data.fill_(2.0)
    assert slow(torch.zeros(6)).tolist() == [1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize(("tensors", "count"), [("query and value", 3), ("blocks", 36)])
def test_the_last_image_block_trains_values_without_queries_and_keys(tensors: Any, count: int) -> None:
    encoder = ClipImageEncoder(load_clip(CLIP).visual)
    fine_tune_image_encoder(encoder, FineTuningConfig(tensors=tensors))
    first, last = (encoder.visual.transformer.resblocks[index].attn for index in (0, 2))
    assert len(_name_trained(encoder)) == count
    rows = [len(block.parametrizations.in_proj_weight[0].update) for block in (first, last)]
    assert rows == [256 if tensors == "query and value" else 384, 128]


def test_a_new_update_changes_no_text_embedding() -> None:
    clip: Any = load_clip(CLIP)
    ids = torch.randint(1, 100, (2, 24), generator=torch.Generator().manual_seed(0))
    before = clip.encode_text(ids)
    fine_tune_text_encoder(clip, FineTuningConfig())
    assert len(_name_trained(clip)) == 2
    torch.testing.assert_close(clip.encode_text(ids), before)


def test_stored_tensors_become_frozen_ones_without_an_update() -> None:
    encoder = ClipImageEncoder(load_clip(CLIP).visual)
    plain = {name: torch.randn_like(value) for name, value in encoder.state_dict().items()}
    fine_tune_image_encoder(encoder, FineTuningConfig())
    encoder.load_state_dict(store_as_frozen(plain, encoder))
    weight = encoder.visual.transformer.resblocks[0].attn.in_proj_weight
    torch.testing.assert_close(weight, plain["visual.transformer.resblocks.0.attn.in_proj_weight"])
