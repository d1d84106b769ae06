"""Tests of sliding windows: all pixels are covered, overlaps are averaged, the inner method is unchanged."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmark.core import lazy_scores
from benchmark.core.lazy_scores import get_score_maps
from benchmark.core.method import Method, StepContext
from benchmark.core.types import Batch, Losses, Prediction, Sample
from benchmark.wrappers import sliding_window
from benchmark.wrappers.sliding_window import SlidingWindow, count_windows_together, iterate_windows
from methods.blocks.images import to_predictions


class RedAndMean(Method):
    """Method that scores class 0 with the red channel and class 1 with the mean of its whole input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.names = nn.Parameter(torch.ones(())), 0

    def set_classes(self, names: Sequence[str]) -> None:
        self.names = len(names)

    def losses(self, batch: Batch) -> Losses:
        return {"loss": self.weight * self.step_context.iteration}

    def predict(self, batch: Batch) -> list[Prediction]:
        reds = [sample["image"][0] for sample in batch]
        return [{"sem_seg": torch.stack([red, red.mean().expand_as(red)])} for red in reds]


def make_sample(image: Tensor, *, height: int = 0, width: int = 0) -> Sample:
    size = {"height": height or image.shape[1], "width": width or image.shape[2]}
    return {"image": image, **size, "file_name": "a", "image_id": "a"}  # type: ignore[typeddict-item]


def make_image(height: int, width: int) -> Tensor:
    return torch.arange(height * width).reshape(1, height, width).expand(3, -1, -1).double()


@given(height=st.integers(1, 40), width=st.integers(1, 40), side=st.integers(1, 16), gap=st.integers(0, 15))
def test_windows_cover_every_pixel_and_stay_inside(height: int, width: int, side: int, gap: int) -> None:
    visits = torch.zeros(height, width)
    for rows, columns in iterate_windows(height, width, side=side, stride=max(1, side - gap)):
        assert rows.stop <= height and columns.stop <= width
        assert (rows.stop - rows.start, columns.stop - columns.start) == (min(side, height), min(side, width))
        visits[rows, columns] += 1
    assert (visits > 0).all()


def test_windows_are_placed_as_in_mmsegmentation() -> None:
    starts = [(rows.start, columns.start) for rows, columns in iterate_windows(512, 1000, side=512, stride=426)]
    assert starts == [(0, 0), (0, 426), (0, 488)]


def test_scores_are_averaged_where_windows_overlap() -> None:
    image = make_image(1, 6)
    scores = SlidingWindow(RedAndMean(), side=4, stride=2).predict([make_sample(image)])[0]["sem_seg"]
    assert torch.equal(scores[0], image[0])
    first, second = image[0, 0, 0:4].mean(), image[0, 0, 2:6].mean()
    both = (first + second) / 2
    assert scores[1, 0].tolist() == [first, first, both, both, second, second]


def test_an_image_that_fits_one_window_is_scored_as_without_windows() -> None:
    inner, image = RedAndMean(), make_image(5, 7)
    whole = inner.predict([make_sample(image)])[0]["sem_seg"]
    assert torch.equal(SlidingWindow(inner, side=8, stride=3).predict([make_sample(image)])[0]["sem_seg"], whole)


def test_predictions_have_the_requested_size() -> None:
    scores = SlidingWindow(RedAndMean(), side=4, stride=3).predict([make_sample(make_image(6, 9), height=12, width=18)])
    assert scores[0]["sem_seg"].shape == (2, 12, 18)


class LowResolution(RedAndMean):
    """Method that scores 35 classes at a quarter of the resolution."""

    def predict(self, batch: Batch) -> list[Prediction]:
        factors = torch.arange(35.0)[:, None, None]
        scores = torch.stack([(factors * sample["image"][0, ::4, ::4].float()).sin() for sample in batch])
        height, width = batch[0]["image"].shape[1:]
        return to_predictions(scores, batch, padded=(height, width))


@pytest.mark.parametrize("size", [(90, 84), (45, 70)])
def test_windows_are_averaged_a_few_classes_at_a_time(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(lazy_scores, "CHUNK_SCORES", 1)
    request = make_sample(make_image(90, 84), height=size[0], width=size[1])
    (prediction,) = SlidingWindow(LowResolution(), side=72, stride=40).predict([request])
    maps = get_score_maps(prediction)
    assert [len(chunk) for chunk in maps.chunks()] == [16, 19]
    assert torch.equal(torch.stack(list(maps)), prediction["sem_seg"])


def test_a_batch_is_predicted_in_order() -> None:
    images = [make_image(6, 9), make_image(9, 6) + 100]
    predictions = SlidingWindow(RedAndMean(), side=4, stride=4).predict([make_sample(image) for image in images])
    pairs = zip(predictions, images, strict=True)
    assert all(torch.equal(prediction["sem_seg"][0], image[0]) for prediction, image in pairs)


def test_training_vocabulary_and_step_context_reach_the_inner_method() -> None:
    inner = RedAndMean()
    outer = SlidingWindow(inner, side=4, stride=4)
    outer.set_classes(("a", "b"))
    outer.step_context = StepContext(seed=0, iteration=7, iterations=10)
    assert outer.losses([])["loss"].item() == 7 and inner.names == 2


@pytest.mark.parametrize("mode", [True, False])
def test_the_inner_method_changes_mode_with_the_outer_one(mode: bool) -> None:
    outer = SlidingWindow(RedAndMean(), side=4, stride=4).train(mode)
    assert outer.method.training is mode


class SizeRecorder(RedAndMean):
    """Method that keeps the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def predict(self, batch: Batch) -> list[Prediction]:
        self.sizes.append(len(batch))
        return super().predict(batch)


def test_windows_go_through_the_method_one_by_one_on_the_cpu_and_together_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner, sample = SizeRecorder(), make_sample(make_image(9, 13))
    outer = SlidingWindow(inner, side=4, stride=3)
    (one_by_one,) = outer.predict([sample])
    assert inner.sizes == [1] * 12
    inner.sizes.clear()
    monkeypatch.setattr(sliding_window, "count_windows_together", lambda _: 5)
    assert torch.equal(outer.predict([sample])[0]["sem_seg"], one_by_one["sem_seg"])
    assert inner.sizes == [5, 5, 2]


def test_windows_together_have_a_bounded_number_of_pixels() -> None:
    window = torch.empty(3, 512, 512, device="meta")
    assert [count_windows_together(window[:, :side, :side]) for side in (224, 512)] == [20, 4]
    assert count_windows_together(torch.empty(3, 2048, 2048, device="meta")) == 1


class PointRecorder(RedAndMean):
    """Method that keeps the points of the windows that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.windows: list[Sample] = []

    def predict(self, batch: Batch) -> list[Prediction]:
        self.windows += batch
        return super().predict(batch)


def test_points_are_in_the_pixels_of_each_window() -> None:
    inner, sample = PointRecorder(), make_sample(make_image(4, 6))
    sample["points"] = torch.zeros(3, 7)
    sample["points_uv"] = torch.tensor([[0.5, 0.5], [4.5, 1.5], [5.5, 3.5]])
    sample["points_valid"] = torch.tensor([True, True, False])
    SlidingWindow(inner, side=4, stride=2).predict([sample])
    first, second = inner.windows
    assert first["points_valid"].tolist() == [True, False, False]
    assert (second["points_uv"][1].tolist(), second["points_valid"].tolist()) == ([2.5, 1.5], [False, True, False])
    assert sample["points_uv"][1].tolist() == [4.5, 1.5]
