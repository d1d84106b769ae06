"""Compatibility and loss of PACL, compared with loops over all pairs in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from methods.blocks.pacl import compute_compatibility, compute_pair_loss, pair_loss

GENERATOR = torch.Generator().manual_seed(0)
PATCHES = torch.randn(3, 7, 5, generator=GENERATOR)
TEXTS = F.normalize(torch.randn(3, 5, generator=GENERATOR), dim=1)
ALL_DIFFERENT = torch.eye(3, dtype=torch.bool)


def _compute_cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def _compute_pair(patches: NDArray[np.float32], text: NDArray[np.float32], scale: float) -> float:
    weights = np.exp([scale * _compute_cosine(patch, text) for patch in patches])
    return _compute_cosine((weights / weights.sum()) @ patches, text)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_each_pair_pools_the_patches_for_its_own_text(scale: float) -> None:
    expected = [[_compute_pair(image, text, scale) for text in TEXTS.numpy()] for image in PATCHES.numpy()]
    torch.testing.assert_close(
        compute_compatibility(PATCHES, TEXTS, pooling_scale=scale), torch.tensor(expected, dtype=torch.float32)
    )


def test_chunks_of_texts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compute_compatibility(PATCHES, TEXTS)
    monkeypatch.setattr(pair_loss, "CHUNK", 2)
    torch.testing.assert_close(compute_compatibility(PATCHES, TEXTS), whole)


def test_patches_of_padding_have_no_influence() -> None:
    is_valid = torch.arange(7).expand(3, 7) < 4
    changed = PATCHES.masked_fill(~is_valid[..., None], 9.0)
    result = compute_compatibility(changed, TEXTS, is_valid=is_valid)
    torch.testing.assert_close(result, compute_compatibility(PATCHES[:, :4], TEXTS))


def test_the_loss_is_infonce_in_both_directions_if_all_texts_differ() -> None:
    logits: Tensor = 3.0 * compute_compatibility(PATCHES, TEXTS)
    rows, columns = (-F.log_softmax(logits, dim=axis).diagonal().mean() for axis in (1, 0))
    loss = compute_pair_loss(logits / 3, same=ALL_DIFFERENT, scale=torch.tensor(3.0))
    torch.testing.assert_close(loss, (rows + columns) / 2)


def test_images_with_equal_texts_are_no_negatives_of_each_other() -> None:
    compatibility = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    same, scale = compatibility.bool(), torch.tensor(20.0)
    losses = [compute_pair_loss(compatibility, same=pairs, scale=scale) for pairs in (same, ALL_DIFFERENT)]
    assert float(losses[0]) == pytest.approx(2 / 3 * np.log(2), abs=1e-4) == float(losses[1])
    doubled = compute_pair_loss(torch.eye(3), same=same, scale=scale)
    assert doubled > compute_pair_loss(torch.eye(3), same=ALL_DIFFERENT, scale=scale) + 1
