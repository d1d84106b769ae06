"""Region vectors: what a mask selects, and what anchors add to it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.deop import AnchorDecoder, AnchorsConfig, MaskAverage

DENSE = F.normalize(torch.randn(2, 8, 3, 4, generator=torch.Generator().manual_seed(0)), dim=1)
MASKS = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(1))


def make_decoder(**settings: float) -> AnchorDecoder:
    torch.manual_seed(2)
    config = AnchorsConfig.model_validate({"heads": 2, **settings})
    return AnchorDecoder(config, num_anchors=5, dimension=8)


def mask_position(row: int, column: int) -> Tensor:
    """Return masks that cover one position only."""
    masks = torch.full_like(MASKS, -100)
    masks[:, :, row, column] = 100
    return masks


def test_a_mask_of_one_position_pools_its_embedding() -> None:
    vectors = MaskAverage()(DENSE, mask_position(1, 2), generator=None)
    torch.testing.assert_close(vectors, DENSE[:, None, :, 1, 2].expand(-1, 5, -1))


def test_under_a_mask_of_one_position_an_anchor_with_one_head_gives_its_embedding() -> None:
    vectors = make_decoder(heads=1)(DENSE, mask_position(1, 2), generator=None)
    torch.testing.assert_close(vectors, DENSE[:, None, :, 1, 2].expand(-1, 5, -1))


def test_positions_outside_a_mask_only_move_the_attention_to_those_inside() -> None:
    masks = mask_position(0, 0).maximum(mask_position(0, 1))
    vectors = make_decoder(heads=1)(DENSE, masks, generator=None)
    ends = DENSE[:, :, 0, :2].transpose(1, 2)  # (2, 2 positions, 8)
    shares = torch.linalg.lstsq(ends.transpose(1, 2), vectors.transpose(1, 2)).solution
    torch.testing.assert_close(ends.transpose(1, 2) @ shares, vectors.transpose(1, 2))
    assert (shares > 0).all()


def test_region_vectors_are_unit_vectors_and_zero_for_an_empty_mask() -> None:
    masks = MASKS.clone()
    masks[0, 0] = -200
    norms = make_decoder()(DENSE, masks, generator=None).norm(dim=2)
    assert norms[0, 0] == 0
    torch.testing.assert_close(norms.flatten()[1:], torch.ones(9))


def test_anchors_differ_although_masks_are_equal() -> None:
    vectors = make_decoder(layers=0)(DENSE, MASKS[:, :1].expand(-1, 5, -1, -1), generator=None)
    assert (vectors[:, 1:] - vectors[:, :1]).abs().amax(dim=2).min() > 1e-3


def test_images_of_a_batch_do_not_influence_each_other() -> None:
    decoder = make_decoder(layers=2)
    torch.testing.assert_close(decoder(DENSE, MASKS, generator=None)[1:], decoder(DENSE[1:], MASKS[1:], generator=None))


def test_dropout_draws_from_the_generator_and_only_if_there_is_one() -> None:
    decoder = make_decoder(dropout=0.5)
    first, again, other = (decoder(DENSE, MASKS, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    plain = make_decoder(dropout=0)(DENSE, MASKS, generator=torch.Generator())
    assert torch.equal(decoder(DENSE, MASKS, generator=None), plain)


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_every_parameter_influences_the_vectors(layers: int) -> None:
    decoder = make_decoder(layers=layers)
    decoder(DENSE, MASKS, generator=None).square().mul(torch.arange(8)).sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())


def test_heads_that_do_not_divide_the_embeddings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"anchors\.heads is 3, and embeddings have 8 dimensions"):
        make_decoder(heads=3)
