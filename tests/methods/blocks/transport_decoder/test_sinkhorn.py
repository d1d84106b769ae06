"""Optimal transport from patches to texts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from methods.blocks import Dropout
from methods.blocks.transport_decoder import (
    TransportConfig,
    TransportDecoder,
    TransportDecoderConfig,
    compute_transport,
    score_transport,
)

SIMILARITY = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
EXACT = TransportConfig(iterations=2000, tolerance=0)


def refer(similarity: Tensor, iterations: int, epsilon: float) -> Tensor:
    """Compute a plan by potentials in logarithms."""
    rows, columns = (torch.full((), 1 / side + 1e-8).log() for side in similarity.shape[1:])
    u, v = torch.zeros_like(similarity[..., :1]), torch.zeros_like(similarity[:, :1])
    for _ in range(iterations):
        u = epsilon * (rows - ((similarity - 1 + v) / epsilon).logsumexp(dim=2, keepdim=True))
        v = epsilon * (columns - ((similarity - 1 + u) / epsilon).logsumexp(dim=1, keepdim=True))
    return ((similarity - 1 + u + v) / epsilon).exp()


def test_a_plan_has_uniform_masses() -> None:
    plan = compute_transport(SIMILARITY, EXACT)
    torch.testing.assert_close(plan.sum(dim=2), torch.full((2, 5), 1 / 5, dtype=torch.float64), rtol=0, atol=1e-6)
    torch.testing.assert_close(plan.sum(dim=1), torch.full((2, 3), 1 / 3, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("iterations", [1, 7])
def test_iterations_are_those_of_the_potentials(iterations: int) -> None:
    plan = compute_transport(SIMILARITY, TransportConfig(iterations=iterations))
    torch.testing.assert_close(plan, refer(SIMILARITY, iterations, 0.05), rtol=1e-6, atol=1e-9)


def test_iterations_end_when_the_potentials_stay() -> None:
    ended = compute_transport(SIMILARITY, TransportConfig(iterations=2000, tolerance=1e-2))
    assert not torch.equal(ended, compute_transport(SIMILARITY, EXACT))


def test_extreme_cosines_give_finite_plans_and_gradients() -> None:
    similarity = torch.tensor([[[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]], requires_grad=True)
    plan = compute_transport(similarity, TransportConfig())
    (gradient,) = torch.autograd.grad(plan[0, 0, 0], similarity)
    assert plan.isfinite().all()
    assert gradient.isfinite().all()


def test_scores_are_cosines_of_the_texts_that_are_transported_to_a_patch() -> None:
    patches, texts = torch.eye(2)[None], torch.tensor([[[[2.0, 0.0], [0.0, 3.0]]]])
    scores, plan = score_transport(patches, texts, TransportConfig())
    torch.testing.assert_close(plan[0, 0], torch.eye(2) / 2, rtol=0, atol=1e-6)
    torch.testing.assert_close(scores[0, 0], torch.tensor([2.0, 2.0]), rtol=0, atol=1e-5)


def test_the_last_scores_of_a_decoder_are_gated_by_the_others() -> None:
    decoder = TransportDecoder(8, TransportDecoderConfig(layers=2))
    queries, patches = torch.randn(1, 3, 2, 8), torch.randn(1, 5, 8)
    updated, first = decoder.layers[0](queries, patches, dropout=Dropout(0, None, device=queries.device))
    last, _ = decoder.scores(updated, patches)
    torch.testing.assert_close(decoder(queries, patches), last * first.sigmoid())
