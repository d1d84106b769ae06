"""Tests of compiled loops over score maps at full size against torch, and of all that is left to torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.core import full_size_scores, lazy_scores
from benchmark.core.full_size_scores import Floats, Labels, load_kernels, open_full_size_scores
from benchmark.core.lazy_scores import LowResPrediction, compute_small_maps

needs_numba = pytest.mark.skipif(load_kernels() is None, reason="Numba is not installed or does not work here")

SIZES = [(1, 1), (1, 70), (37, 1), (15, 17), (64, 64)]


def draw(classes: int, size: tuple[int, int], *, scale: float = 1, step: float = 0) -> Tensor:
    """Return (K, H, W) scores, rounded to multiples of a step so that many are equal."""
    scores = scale * torch.randn(classes, *size, generator=torch.Generator().manual_seed(0))
    return (scores / step).round() * step if step else scores


def put_classes_last(scores: Tensor) -> Tensor:
    return scores.permute(1, 2, 0).contiguous().permute(2, 0, 1)


def cut(scores: Tensor) -> Tensor:
    """Return the same scores as a part of larger maps."""
    return torch.cat([scores, scores], dim=2)[:, :, : scores.shape[2]]


LAYOUTS = [Tensor.contiguous, put_classes_last, cut]


def split(classes: int) -> list[list[int]]:
    return [[k for k in range(classes) if k % 3 != 1], [k for k in range(classes) if k % 3 == 1]]


def find_best_and_total(scores: Tensor) -> tuple[Floats, Labels, Floats, float]:
    """Return what the loops find of finite scores whose classes are split."""
    opened = open_full_size_scores(scores)
    assert opened is not None
    found = opened.find_best_and_total(split(len(scores)))
    assert found is not None
    return found


@needs_numba
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [2, 5, 33, 300])
def test_the_first_of_the_best_classes_of_each_group_is_found(
    classes: int, size: tuple[int, int], layout: Callable[[Tensor], Tensor]
) -> None:
    scores = draw(classes, size, step=1)
    best, label, _, _ = find_best_and_total(layout(scores))
    for group, value, ids in zip(split(classes), best, label, strict=True):
        assert torch.equal(torch.from_numpy(value), scores[group].amax(dim=0))
        assert torch.equal(torch.from_numpy(ids).long(), torch.tensor(group)[scores[group].argmax(dim=0)])


@needs_numba
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scale", [0, 0.01, 1, 30, 3000, 1e38])
@pytest.mark.parametrize("classes", [2, 7, 150])
def test_sums_are_within_their_bound(classes: int, scale: float, layout: Callable[[Tensor], Tensor]) -> None:
    scores = draw(classes, (40, 31), scale=scale).clamp(-scale, scale)
    _, _, total, error = find_best_and_total(layout(scores))
    exact = (scores - scores.amax(dim=0)).double().exp().sum(dim=0)
    summed = torch.zeros(40, 31)
    for terms in (scores - scores.amax(dim=0)).exp():
        summed += terms
    assert float((torch.from_numpy(total) / exact - 1).abs().max()) < error / 2
    assert float((torch.from_numpy(total).double() / summed - 1).abs().max()) < error < 2e-5


@needs_numba
def test_the_exponential_keeps_its_bound() -> None:
    from benchmark.core import map_kernels
    from benchmark.evaluation import margin_kernels

    draws = np.random.default_rng(0).uniform(-87, 0, 2000).astype(np.float32).tolist()
    for x in [0.0, -1e-30, -1e-3, -87.0, *draws]:
        assert abs(map_kernels._exp(np.float32(x)) / math.exp(x) - 1) < map_kernels.EXP_ERROR
        assert margin_kernels._exp(np.float32(x)) == map_kernels._exp(np.float32(x))
    assert map_kernels._exp(np.float32(0)) == 1 and 0 <= map_kernels._exp(np.float32(-math.inf)) < 2e-38


@needs_numba
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
def test_results_do_not_depend_on_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, layout: Callable[[np.ndarray], np.ndarray]
) -> None:
    from benchmark.core import map_kernels

    monkeypatch.setattr(map_kernels, "THREAD_SCORES", 1)
    scores, group = draw(20, (30, 37)).flatten(1).numpy(), np.arange(20, dtype=np.int32) % 2
    alone, shared = (
        map_kernels.find_best(layout(scores), group, groups=2, has_total=True, threads=threads) for threads in (1, 3)
    )
    assert alone.is_finite and shared.is_finite
    for name in ("best", "label", "total"):
        assert np.array_equal(getattr(alone, name), getattr(shared, name))


@needs_numba
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [(0, 0, 0), (4, 9, 8), (2, 5, 5)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_scores_that_are_not_finite_are_left_to_torch(
    value: float, place: tuple[int, int, int], layout: Callable[[Tensor], Tensor]
) -> None:
    scores = draw(5, (10, 9))
    scores[place] = value
    opened = open_full_size_scores(layout(scores))
    assert opened.find_best([range(5)]) is None and opened.find_best_and_total(split(5)) is None


@needs_numba
def test_half_precision_is_converted_if_maps_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = draw(20, (10, 9)).half()
    assert np.array_equal(open_full_size_scores(scores).maps, scores.float().numpy())
    monkeypatch.setattr(lazy_scores, "CHUNK_SCORES", 1)
    assert open_full_size_scores(scores) is None and open_full_size_scores(cut(scores.float())) is None
    assert open_full_size_scores(scores.float()) is not None and open_full_size_scores(put_classes_last(scores.float()))


@pytest.mark.parametrize("change", [Tensor.double, Tensor.long, Tensor.bool])
def test_other_types_are_left_to_torch(change: Callable[[Tensor], Tensor]) -> None:
    assert open_full_size_scores(change(draw(5, (10, 9)))) is None


def test_torch_reads_all_scores_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_size_scores, "load_kernels", lambda: None)
    assert open_full_size_scores(draw(5, (10, 9))) is None


@needs_numba
@pytest.mark.parametrize("layout", LAYOUTS)
def test_single_pixels_are_read_one_class_after_the_other(layout: Callable[[Tensor], Tensor]) -> None:
    scores, rows, columns = draw(20, (10, 9)), np.array([0, 3, 9]), np.array([8, 0, 5])
    pixels = open_full_size_scores(layout(scores)).read_pixels(rows, columns)
    assert pixels.flags.c_contiguous and np.array_equal(pixels, scores[:, rows, columns].numpy())


@pytest.mark.parametrize("classes", [3, 16, 21])
@pytest.mark.parametrize(
    ("padded", "image", "output"),
    [
        ((64, 64),) * 3,
        ((40, 56), (37, 52), (37, 52)),
        ((40, 56), (37, 52), (60, 30)),
        ((80, 120), (77, 111), (77, 111)),
    ],
)
def test_small_predictions_have_the_scores_that_are_read(
    classes: int, padded: tuple[int, int], image: tuple[int, int], output: tuple[int, int]
) -> None:
    low_res = draw(classes, (padded[0] // 8, padded[1] // 8))[None]
    prediction = LowResPrediction(low_res=low_res, padded_size=padded, image_size=image, output_size=output)
    maps = compute_small_maps(prediction)
    assert maps is not None and torch.equal(maps, prediction["sem_seg"])
    opened = open_full_size_scores(prediction)
    assert opened is None or np.array_equal(opened.maps, prediction["sem_seg"].numpy())


def test_large_predictions_are_not_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_scores, "CHUNK_SCORES", 1)
    size = (64, 64)
    prediction = LowResPrediction(low_res=draw(40, (8, 8))[None], padded_size=size, image_size=size, output_size=size)
    assert compute_small_maps(prediction) is None and open_full_size_scores(prediction) is None
