"""Sliding windows: every pixel is seen, overlaps are averaged, and the inner method is left as it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmark.core import lazy_scores
from benchmark.core.lazy_scores import score_maps
from benchmark.core.method import Method, StepContext
from benchmark.core.types import Batch, Losses, Prediction, Sample
from benchmark.wrappers.sliding_window import SlidingWindow, windows
from methods.blocks.images import to_predictions


class Windowed(Method):
    """Scores of class 0 are the red channel; those of class 1 the mean of the whole window it is shown."""

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


def sample(image: Tensor, *, height: int = 0, width: int = 0) -> Sample:
    size = {"height": height or image.shape[1], "width": width or image.shape[2]}
    return {"image": image, **size, "file_name": "a", "image_id": "a"}  # type: ignore[typeddict-item]


def picture(height: int, width: int) -> Tensor:
    return torch.arange(height * width).reshape(1, height, width).expand(3, -1, -1).double()


@given(height=st.integers(1, 40), width=st.integers(1, 40), side=st.integers(1, 16), gap=st.integers(0, 15))
def test_windows_cover_every_pixel_and_stay_inside(height: int, width: int, side: int, gap: int) -> None:
    visits = torch.zeros(height, width)
    for rows, columns in windows(height, width, side=side, stride=max(1, side - gap)):
        assert rows.stop <= height and columns.stop <= width
        assert (rows.stop - rows.start, columns.stop - columns.start) == (min(side, height), min(side, width))
        visits[rows, columns] += 1
    assert (visits > 0).all()


def test_windows_are_where_mmsegmentation_puts_them() -> None:
    starts = [(rows.start, columns.start) for rows, columns in windows(512, 1000, side=512, stride=426)]
    assert starts == [(0, 0), (0, 426), (0, 488)]


def test_where_windows_overlap_the_mean_of_their_scores_counts() -> None:
    image = picture(1, 6)
    scores = SlidingWindow(Windowed(), side=4, stride=2).predict([sample(image)])[0]["sem_seg"]
    assert torch.equal(scores[0], image[0])
    first, second = image[0, 0, 0:4].mean(), image[0, 0, 2:6].mean()
    both = (first + second) / 2
    assert scores[1, 0].tolist() == [first, first, both, both, second, second]


def test_an_image_within_one_window_is_scored_as_without() -> None:
    inner, image = Windowed(), picture(5, 7)
    whole = inner.predict([sample(image)])[0]["sem_seg"]
    assert torch.equal(SlidingWindow(inner, side=8, stride=3).predict([sample(image)])[0]["sem_seg"], whole)


def test_answers_have_the_size_that_is_asked_for() -> None:
    scores = SlidingWindow(Windowed(), side=4, stride=3).predict([sample(picture(6, 9), height=12, width=18)])
    assert scores[0]["sem_seg"].shape == (2, 12, 18)


class Coarse(Windowed):
    """35 classes with scores in a quarter of the resolution."""

    def predict(self, batch: Batch) -> list[Prediction]:
        factors = torch.arange(35.0)[:, None, None]
        scores = torch.stack([(factors * sample["image"][0, ::4, ::4].float()).sin() for sample in batch])
        height, width = batch[0]["image"].shape[1:]
        return to_predictions(scores, batch, padded=(height, width))


@pytest.mark.parametrize("size", [(90, 84), (45, 70)])
def test_windows_are_averaged_a_few_classes_at_a_time(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(lazy_scores, "CHUNK_SCORES", 1)
    asked = sample(picture(90, 84), height=size[0], width=size[1])
    (answer,) = SlidingWindow(Coarse(), side=72, stride=40).predict([asked])
    maps = score_maps(answer)
    assert [len(chunk) for chunk in maps.chunks()] == [16, 19]
    assert torch.equal(torch.stack(list(maps)), answer["sem_seg"])


def test_a_batch_is_answered_in_order() -> None:
    images = [picture(6, 9), picture(9, 6) + 100]
    answers = SlidingWindow(Windowed(), side=4, stride=4).predict([sample(image) for image in images])
    assert all(torch.equal(one["sem_seg"][0], image[0]) for one, image in zip(answers, images, strict=True))


def test_training_vocabulary_and_moment_reach_the_inner_method() -> None:
    inner = Windowed()
    outer = SlidingWindow(inner, side=4, stride=4)
    outer.set_classes(("a", "b"))
    outer.step_context = StepContext(seed=0, iteration=7, iterations=10)
    assert outer.losses([])["loss"].item() == 7 and inner.names == 2


@pytest.mark.parametrize("mode", [True, False])
def test_the_inner_method_changes_mode_with_the_outer_one(mode: bool) -> None:
    outer = SlidingWindow(Windowed(), side=4, stride=4).train(mode)
    assert outer.method.training is mode
