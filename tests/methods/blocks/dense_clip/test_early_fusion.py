"""CLIPer's fusion of early attentions: both readings of its scaling, and its threshold."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import Tensor

from methods.blocks.dense_clip.early_fusion import Sinkhorn, drop_small, iterate_fused

WEIGHTS = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))


def take(sinkhorn: Sinkhorn, count: int, *, weights: Tensor = WEIGHTS) -> list[Tensor]:
    return list(islice(iterate_fused(weights, sinkhorn=sinkhorn), count))


@pytest.mark.parametrize("sinkhorn", ["code", "once"])
def test_rows_sum_to_one_and_nothing_is_negative(sinkhorn: Sinkhorn) -> None:
    for fused in take(sinkhorn, 4):
        torch.testing.assert_close(fused.sum(dim=3), torch.ones(2, 3, 5))
        assert fused.min() >= 0


def test_the_first_embedding_sees_one_round_in_both_readings() -> None:
    torch.testing.assert_close(take("code", 1), take("once", 1))


def test_one_round_is_the_same_for_all_embeddings_and_more_are_not() -> None:
    first, *others = take("once", 4)
    assert all(torch.equal(first, other) for other in others)
    first, *others = take("code", 4)
    assert not any(torch.allclose(first, other, atol=1e-4) for other in others)


def test_the_fused_attention_is_that_of_a_hand_calculation() -> None:
    weights = torch.tensor([[3.0, 1.0], [1.0, 1.0]]).view(1, 1, 2, 2)
    # columns: 3/4, 1/2; 1/4, 1/2. rows: 3/5, 2/5; 1/3, 2/3. sum with the transpose: 6/5, 11/15; 11/15, 4/3
    # less the means of columns, 29/30 and 31/30: 7/30, -3/10; -7/30, 3/10. what is left of both rows is the diagonal
    torch.testing.assert_close(take("once", 1, weights=weights)[0][0, 0], torch.eye(2))


def test_the_attentions_of_the_blocks_stay_unmodified() -> None:
    weights = WEIGHTS.clone()
    take("code", 3, weights=weights)
    assert torch.equal(weights, WEIGHTS)


def test_small_values_are_dropped_by_the_maximum_of_their_class() -> None:
    scores = torch.tensor([[[0.1, 0.5, 1.0], [0.01, 0.02, 0.1]]])
    expected = torch.tensor([[[0.0, 0.5, 1.0], [0.0, 0.02, 0.1]]])
    assert torch.equal(drop_small(scores, threshold=0.15), expected)
