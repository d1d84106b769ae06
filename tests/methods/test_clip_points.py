"""CLIP for point clouds: what reaches the training, and what a prediction consists of."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from benchmark.contract.hidden_facts import make_training_data, rename_unseen
from benchmark.contract.leaks import describe_difference
from benchmark.core.types import Batch
from methods.clip_points import ClipPoints
from tests.methods.cases import in_evaluation, in_training, subject_of

CASE, SEEN_ONLY = "clip_points/CLIP points", "clip_points/seen only"


def _make_batch() -> Batch:
    return subject_of(CASE).make_training_batch()


def _compute_losses(batch: Batch, *, case: str = CASE) -> dict[str, float]:
    return {name: float(loss.detach()) for name, loss in in_training(case).losses(batch).items()}


def test_masks_of_images_have_no_influence() -> None:
    batch = [{**sample, "sem_seg": torch.zeros_like(sample["sem_seg"])} for sample in _make_batch()]
    assert _compute_losses(batch) == _compute_losses(_make_batch())  # type: ignore[arg-type]


@pytest.mark.parametrize("case", [SEEN_ONLY, "clip_points/no pseudo labels"])
def test_without_pseudo_labels_training_does_not_depend_on_unseen_names(case: str) -> None:
    subject = subject_of(case)
    renamed = subject.learn(rename_unseen(make_training_data(subject.split)))
    assert describe_difference(subject.learned, renamed) == ""


def test_with_pseudo_labels_it_does() -> None:
    subject = subject_of(CASE)
    renamed = subject.learn(rename_unseen(make_training_data(subject.split)))
    first, second = subject.learned.losses[0], renamed.losses[0]
    assert {name for name in first if first[name] != second[name]} == {"loss_sup", "loss_pse"}


def test_hidden_points_get_no_pseudo_label_and_are_not_aligned() -> None:
    batch = [{**sample, "points_valid": torch.zeros_like(sample["points_valid"])} for sample in _make_batch()]
    losses = _compute_losses(batch)  # type: ignore[arg-type]
    assert (losses["loss_pse"], losses["loss_loc"], losses["loss_glb"]) == (0, 0, 0)
    assert losses["loss_sup"] == pytest.approx(_compute_losses(_make_batch())["loss_sup"], rel=1e-5)


def test_scores_of_a_pixel_are_those_of_its_point() -> None:
    sample = subject_of(CASE).make_prediction_batch()[0]
    sample["height"], sample["width"] = sample["image"].shape[1:]
    prediction = in_evaluation(CASE).predict([sample])[0]
    shown = sample["points_valid"].nonzero()[:, 0]
    columns, rows = sample["points_uv"][shown].long().unbind(1)
    assert torch.equal(prediction["sem_seg"][:, rows, columns].T, prediction["point_logits"][shown])


def test_the_image_is_not_looked_at_in_prediction() -> None:
    batch = subject_of(CASE).make_prediction_batch()
    blank = [{**sample, "image": torch.zeros_like(sample["image"])} for sample in batch]
    first, second = (in_evaluation(CASE).predict(samples)[1]["sem_seg"] for samples in (batch, blank))  # type: ignore[arg-type]
    assert torch.equal(first, second)


def test_scenes_without_points_get_equal_scores_and_finite_losses() -> None:
    empty = {name: torch.zeros(0, *shape) for name, shape in {"points": (7,), "points_uv": (2,)}.items()}
    no_labels = {"points_valid": torch.zeros(0, dtype=torch.bool), "point_sem_seg": torch.zeros(0, dtype=torch.long)}
    batch = cast(Batch, [{**sample, **empty, **no_labels} for sample in _make_batch()])
    assert set(_compute_losses(batch).values()) == {0.0}
    assert in_evaluation(CASE).predict(batch)[0]["sem_seg"].unique().tolist() == [0]


def test_samples_without_points_are_refused() -> None:
    batch = _make_batch()
    del batch[1]["points"]
    with pytest.raises(ValueError, match="sample 'second' has no points"):
        cast(ClipPoints, in_training(CASE)).losses(batch)
