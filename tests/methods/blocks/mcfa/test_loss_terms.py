"""The terms of MCFA, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from methods.blocks.mcfa import (
    choose_pseudo_labels,
    compute_cross_entropy,
    compute_global_distance,
    compute_local_distance,
)


def test_cross_entropy_is_the_mean_over_labeled_points() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0], [5.0, 1.0]])
    loss = compute_cross_entropy(logits, torch.tensor([0, 1, -1]))
    assert float(loss) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_without_a_label_the_cross_entropy_is_zero() -> None:
    assert float(compute_cross_entropy(torch.ones(2, 3), torch.tensor([-1, -1]))) == 0


def test_pseudo_labels_need_a_candidate_and_a_probability_above_the_threshold() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, math.log(3.0)], [0.1, 0.0], [9.0, 0.0]])
    is_candidate = torch.tensor([True, True, True, False])
    assert choose_pseudo_labels(logits, is_candidate=is_candidate, threshold=0.7).tolist() == [0, 1, -1, -1]
    assert choose_pseudo_labels(logits, is_candidate=is_candidate, threshold=0.0).tolist() == [0, 1, 0, -1]


def test_local_distance_is_the_mean_of_one_minus_cosine() -> None:
    student, teacher = torch.tensor([[2.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [3.0, 3.0]])
    assert float(compute_local_distance(student, teacher)) == pytest.approx((0 + 1 - 0.5**0.5) / 2)
    assert float(compute_local_distance(student[:0], teacher[:0])) == 0


def test_global_distance_pools_the_directions_of_an_image_and_skips_empty_images() -> None:
    student = torch.tensor([[5.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    class_tokens = torch.tensor([[1.0, 1.0], [4.0, 7.0], [0.0, 1.0]])
    loss = compute_global_distance(student, torch.tensor([0, 0, 2]), class_tokens)
    assert float(loss) == pytest.approx((0 + 1) / 2, abs=1e-6)
