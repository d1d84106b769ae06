"""Class names in place of CLIP's class token: where, how often, and what they cost."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.api import Budget
from methods.blocks.conditioned_encoder import ConditionedEncoder, ReplacementConfig
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder, draw_classes, draw_image


def _make(*, layers: int = 12, **fields: object) -> ConditionedEncoder:
    return ConditionedEncoder(build_tiny_encoder(layers=layers), ReplacementConfig.model_validate(fields))


def _watch(encoder: ConditionedEncoder) -> list[list[Tensor]]:
    """Return a list for each block, to which every call adds the tokens that enter the block."""
    blocks = encoder.encoder.visual.transformer.resblocks
    entered: list[list[Tensor]] = [[] for _ in blocks]
    for block, tokens in zip(blocks, entered, strict=True):
        block.ln_1.register_forward_hook(lambda _module, inputs, _output, tokens=tokens: tokens.append(inputs[0]))
    return entered


@pytest.mark.parametrize(
    ("depth", "blocks"), [(12, range(2, 5)), (24, range(4, 10)), (3, range(1, 2)), (2, range(1)), (1, range(1))]
)
def test_the_paper_s_blocks_fit_an_encoder_of_any_depth(depth: int, blocks: range) -> None:
    assert ReplacementConfig().list_blocks(depth) == blocks


@torch.no_grad()
def test_the_class_token_is_replaced_before_the_blocks_2_to_4_and_no_other() -> None:
    encoder, classes = _make(), draw_classes()[:2]
    entered = _watch(encoder)
    tokens, grid = encoder.run_shared(draw_image(64, 64))
    encoder(tokens.expand(2, -1, -1), classes, grid=grid)
    for index, (block,) in enumerate(entered):
        projected = [projection(classes * classes.shape[1] ** 0.5) for projection in encoder.projections]
        is_name = [len(block) == 2 and torch.equal(block[:, 0], name) for name in projected]
        assert is_name == [index == 2, index == 3, index == 4]


@torch.no_grad()
def test_blocks_before_the_replacement_run_once_for_all_classes() -> None:
    encoder = _make()
    entered = _watch(encoder)
    tokens, grid = encoder.run_shared(draw_image(64, 64))
    for part in draw_classes().split(3):
        encoder(tokens.expand(len(part), -1, -1), part, grid=grid)
    assert [[len(call) for call in calls] for calls in entered] == [[1]] * 2 + [[3, 2]] * 10


@torch.no_grad()
def test_patches_of_a_class_do_not_depend_on_the_classes_beside_it() -> None:
    encoder = _make()
    tokens, grid = encoder.run_shared(draw_image(64, 96))
    together = encoder(tokens.expand(5, -1, -1), draw_classes(), grid=grid)
    alone = torch.cat([encoder(tokens, part, grid=grid) for part in draw_classes().split(1)])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert float((together[0] - together[1]).abs().max()) > 1e-2


def test_projections_are_one_per_block_or_shared() -> None:
    assert [len(_make(shared=shared).projections) for shared in (False, True)] == [3, 1]


def test_an_empty_range_of_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"replacement.start is 5, expected less than replacement.stop, 5"):
        ReplacementConfig(start=5, stop=5).check_plan(Budget())
