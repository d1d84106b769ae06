"""The side network: what it takes from CLIP, its positions and its supervised layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.api import Budget
from methods.blocks.side_adapter import SideAdapter, SideAdapterConfig, compute_stride
from tests.methods.blocks.side_adapter.tiny_san import SIDE

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
CLIP = {block: torch.randn(2, 4 * 4, 32, generator=torch.Generator().manual_seed(block)) for block in (0, 2, 4, 6)}


def _build(config: SideAdapterConfig = SIDE) -> SideAdapter:
    torch.manual_seed(0)
    return SideAdapter(config, clip_width=32, clip_depth=8)


def _run(side: SideAdapter, images: Tensor = IMAGES) -> list[Tensor]:
    with torch.no_grad():
        return [some.masks for some in side(images, CLIP, (4, 4))]


def test_twelfths_of_the_depth_are_blocks() -> None:
    assert _build().blocks_of_layers == {0: 0, 1: 2, 2: 4, 3: 6}
    large = SideAdapter(SideAdapterConfig(), clip_width=1, clip_depth=24).blocks_of_layers
    assert large == {0: 0, 1: 6, 2: 12, 3: 18}  # the official setting for ViT-L


def test_the_last_layers_are_supervised_and_the_last_one_predicts() -> None:
    side = _build()
    trained, predicted = _run(side.train()), _run(side.eval())
    assert [some.shape for some in trained] == [(2, 6, 8, 8)] * 2
    assert len(predicted) == 1
    torch.testing.assert_close(predicted[0], trained[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("side_patch", "clip_patch", "clip_scale", "expected"),
    [
        (16, 16, 0.5, 32),  # ViT-B/16, as in the official code
        (16, 14, 0.7, 32),  # ViT-L/14, as in the official code
        (16, 32, 0.5, 64),
        (8, 8, 1.0, 8),
        (16, 8, 1.0, 16),  # a patch of the side network holds more than one of CLIP
        (20, 14, 0.7, 20),
    ],
)
def test_the_stride_is_the_fewest_side_patches_that_hold_a_patch_of_clip(
    side_patch: int, clip_patch: int, clip_scale: float, expected: int
) -> None:
    assert compute_stride(side_patch, clip_patch, clip_scale=clip_scale) == expected


@pytest.mark.parametrize("block", CLIP)
def test_every_block_that_is_fused_influences_the_masks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    side = _build().eval()
    (before,) = _run(side)
    monkeypatch.setitem(CLIP, block, CLIP[block] + 1.5 * torch.rand(32))
    assert not torch.allclose(_run(side)[0], before)


def test_without_fusion_clip_has_no_influence() -> None:
    side = _build(SIDE.model_copy(update={"fusion": ()})).eval()
    (masks,) = _run(side)
    assert torch.equal(masks, side(IMAGES, {}, (4, 4))[0].masks)
    assert not list(side.fusions.parameters())


def test_positions_are_resized_to_the_grid_of_the_image() -> None:
    side = _build().eval()
    assert _run(side, IMAGES[:, :, :32])[0].shape == (2, 6, 4, 8)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"heads": 7}, "side.heads is 7, expected a divisor of side.width, 240"),
        ({"image_size": 650}, "side.image_size is 650, expected a multiple of side.patch, 16"),
        ({"supervised": 9}, "side.supervised is 9, expected at most side.depth, 8"),
        ({"fusion": ((12, 0),)}, "expected blocks of 0 to 11 twelfths of CLIP"),
        ({"fusion": ((0, 8),)}, "expected different layers of 0 to 7"),
        ({"fusion": ((0, 1), (3, 1))}, "expected different layers of 0 to 7"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SideAdapterConfig.model_validate(fields).check_plan(Budget())
