"""MaskFormer: shapes, parts and draws."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from benchmark.core.budget import Budget
from methods.blocks import Dropout
from methods.blocks.mask_former import TOY_MASK_FORMER, MaskFormer, MaskFormerConfig, PyramidConfig
from methods.blocks.mask_former.transformer import MultiHeadAttention, encode_positions

IMAGES = 255 * torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(0))
SMALL = TOY_MASK_FORMER.model_copy(update={"queries": 5, "layers": 2, "dropout": 0.5})


@pytest.fixture(scope="module")
def segmenter() -> MaskFormer:
    return MaskFormer(SMALL).eval()


def test_queries_have_embeddings_and_masks_at_every_layer(segmenter: MaskFormer) -> None:
    output = segmenter(IMAGES)
    assert output.embeddings.shape == (2, 2, 5, 64)
    assert output.masks.shape == (2, 2, 5, 8, 16)
    assert output.pixels.shape == (2, 32, 8, 16)
    last = segmenter(IMAGES, only_last=True)
    assert torch.equal(last.embeddings, output.embeddings[1:]) and torch.allclose(
        last.masks, output.masks[1:], atol=1e-5
    )


def test_masks_are_inner_products_with_features_that_a_method_may_change() -> None:
    class Double(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return 2 * pixels

    torch.manual_seed(0)
    plain = MaskFormer(SMALL)
    torch.manual_seed(0)
    doubled = MaskFormer(SMALL, enhance=Double())
    output, other = plain(IMAGES), doubled(IMAGES)
    assert torch.allclose(other.masks, 2 * output.masks) and torch.equal(other.pixels, 2 * output.pixels)
    product = torch.einsum("lbqc,bchw->lbqhw", plain.embed_masks(output.embeddings), output.pixels)
    assert torch.allclose(product, output.masks)


def test_dropout_draws_from_the_given_generator_alone(segmenter: MaskFormer) -> None:
    state = torch.random.get_rng_state()
    masks = [segmenter(IMAGES, generator=torch.Generator().manual_seed(seed)).masks for seed in (0, 0, 1)]
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("rate", [0.0, 1e-12])
def test_the_attention_is_that_of_torch_with_and_without_dropout(rate: float) -> None:
    ours, theirs = MultiHeadAttention(8, heads=2), nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.load_state_dict({name: torch.randn_like(value) for name, value in theirs.state_dict().items()})
    ours.load_state_dict(theirs.state_dict())
    query, memory = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    expected = theirs(query, memory, 2 * memory)[0]
    found = ours(query, memory, 2 * memory, dropout=Dropout(rate, torch.Generator(), device=query.device))
    torch.testing.assert_close(found, expected)


def test_positions_are_sines_and_cosines_of_rows_then_columns() -> None:
    codes = encode_positions((1, 2), width=8, like=torch.empty(0))
    angle = 2 * math.pi * torch.tensor([1 / 1, 1 / 2, 2 / 2])  # the row, then the columns
    slow = angle / 10_000**0.5
    rows = torch.stack([angle[0].sin(), angle[0].cos(), slow[0].sin(), slow[0].cos()])
    assert torch.allclose(codes[:, :4], rows.expand(2, 4), atol=1e-5)
    column = torch.stack([angle[1].sin(), angle[1].cos(), slow[1].sin(), slow[1].cos()])
    assert torch.allclose(codes[0, 4:], column, atol=1e-5)


@pytest.mark.parametrize("batch_norm", ["frozen", "trained"])
def test_batch_norms_of_the_pyramid_are_frozen_or_trained(batch_norm: str) -> None:
    pyramid = SMALL.pyramid.model_copy(update={"batch_norm": batch_norm})
    segmenter = MaskFormer(SMALL.model_copy(update={"pyramid": pyramid}))
    norms = [module for module in segmenter.pyramid.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms and all(norm.weight.requires_grad is (batch_norm == "trained") for norm in norms)


def test_a_multi_grid_dilates_the_blocks_of_the_last_stage() -> None:
    config = PyramidConfig(encoder="resnet50", weights=None, multi_grid=(1, 2, 4))
    with torch.device("meta"):
        segmenter = MaskFormer(MaskFormerConfig(pyramid=config))
    assert [block.conv2.dilation for block in segmenter.pyramid.encoder.layer4] == [(1, 1), (2, 2), (4, 4)]
    assert segmenter.stride == 32 and segmenter.mask_stride == 4
    assert sum(parameter.numel() for parameter in segmenter.parameters()) == 41_269_056


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SMALL.model_copy(update={"heads": 5}), "heads=5 and 4 must divide width=64"),
        (SMALL.model_copy(update={"pixel_channels": 40}), "give a multiple of 32"),
        (MaskFormerConfig(pyramid=PyramidConfig(encoder="resnet51", weights=None)), "no encoder 'resnet51'"),
        (MaskFormerConfig(pyramid=PyramidConfig(weights="toy")), "and encoder 'resnet50' do not match"),
        (MaskFormerConfig(pyramid=PyramidConfig(weights=None, multi_grid=(1, 2))), "give a dilation for each block"),
        (MaskFormerConfig(pyramid=PyramidConfig(weights=None, levels=6)), "levels=6 of depth=5"),
    ],
)
def test_what_cannot_be_built_is_refused_when_it_is_planned(config: MaskFormerConfig, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config.check_plan(Budget())
