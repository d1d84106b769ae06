"""The classifier under autocast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.inner_products import compute_inner_products


def make_vectors() -> tuple[Tensor, Tensor]:
    """Return dense embeddings (2, 64, 30, 30) and class embeddings (171, 64)."""
    generator = torch.Generator().manual_seed(0)
    dense, text = torch.randn(2, 64, 30, 30, generator=generator), torch.randn(171, 64, generator=generator)
    return F.normalize(dense, dim=1), F.normalize(text, dim=1)


def count_ties(scores: Tensor) -> int:
    """Return the number of positions whose best two classes have the same score."""
    best = scores.topk(2, dim=1).values
    return int((best[:, 0] == best[:, 1]).sum())


def test_scores_are_inner_products_with_the_classes_of_each_image() -> None:
    dense, text = make_vectors()
    texts = torch.stack([text, text.flip(0)])
    scores = compute_inner_products(dense, texts)
    assert torch.allclose(scores[1, 3, 4, 5], dense[1, :, 4, 5] @ texts[1, 3], atol=1e-6)
    assert torch.allclose(compute_inner_products(dense, text)[0], scores[0], atol=1e-6)


def test_autocast_changes_no_bit_and_makes_no_ties() -> None:
    dense, text = make_vectors()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores, rounded = compute_inner_products(dense, text), torch.einsum("bdhw,kd->bkhw", dense, text)
    assert torch.equal(scores, compute_inner_products(dense, text))
    assert count_ties(scores) == 0
    assert count_ties(rounded) > 0.005 * 1800
