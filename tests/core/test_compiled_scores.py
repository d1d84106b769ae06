"""Tests of compiled loops over score maps against torch, bit for bit, and of all that is left to torch."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.core import compiled_scores, lazy_scores
from benchmark.core.compiled_scores import load_kernels
from benchmark.core.lazy_scores import LowResPrediction, compute_label_map, open_compiled_scores

needs_numba = pytest.mark.skipif(load_kernels() is None, reason="Numba is not installed or does not work here")

Sizes = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
SIZES: dict[str, Sizes] = {
    "once": ((16, 20), (128, 160), (128, 160), (128, 160)),
    "once, without padding": ((9, 33), (72, 264), (70, 259), (70, 259)),
    "twice, larger": ((12, 13), (96, 104), (90, 100), (133, 271)),
    "twice, smaller": ((31, 40), (248, 320), (241, 315), (67, 101)),
    "low resolution of full size": ((70, 90), (70, 90), (70, 83), (140, 300)),
    "one row": ((1, 40), (8, 320), (5, 313), (3, 400)),
}
"""Sizes of scores, padded image, image and output; tiles are 16 x 256."""
geometries = pytest.mark.parametrize("sizes", SIZES.values(), ids=list(SIZES))


@pytest.fixture(autouse=True)
def chunks_of_a_few_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small predictions count as large ones."""
    monkeypatch.setattr(lazy_scores, "CHUNK_SCORES", 1)


def draw(classes: int, size: tuple[int, int], *, scale: float = 1) -> Tensor:
    return scale * torch.randn(1, classes, *size, generator=torch.Generator().manual_seed(0))


def predict(low_res: Tensor, sizes: Sizes) -> LowResPrediction:
    return LowResPrediction(low_res=low_res, padded_size=sizes[1], image_size=sizes[2], output_size=sizes[3])


@needs_numba
@geometries
def test_labels_are_those_of_the_argmax_even_if_scores_tie(sizes: Sizes) -> None:
    for low_res in (draw(40, sizes[0]), draw(40, sizes[0]).round().clamp(max=1), torch.zeros(1, 40, *sizes[0])):
        prediction = predict(low_res, sizes)
        assert open_compiled_scores(prediction) is not None
        assert torch.equal(compute_label_map(prediction), prediction["sem_seg"].argmax(dim=0))


@needs_numba
@geometries
def test_only_the_given_classes_are_chosen(sizes: Sizes) -> None:
    prediction, among = predict(draw(40, sizes[0]), sizes), torch.tensor([5, 6, 20, 39])
    expected = among[prediction["sem_seg"][among].argmax(dim=0)]
    assert torch.equal(compute_label_map(prediction, among=among.tolist()), expected)


@needs_numba
@geometries
def test_single_pixels_have_the_bits_of_torch(sizes: Sizes) -> None:
    prediction = predict(draw(20, sizes[0]), sizes)
    scores, expected = open_compiled_scores(prediction), prediction["sem_seg"]
    rows, columns = np.indices(expected.shape[1:]).reshape(2, -1)
    assert np.array_equal(scores.read_pixels(rows, columns), expected.flatten(1).numpy())


@needs_numba
@geometries
@pytest.mark.parametrize("scale", [0.01, 1, 10, 30, 3000])
def test_both_groups_have_their_best_class_and_sums_are_within_their_bound(sizes: Sizes, scale: float) -> None:
    prediction = predict(draw(40, sizes[0], scale=scale), sizes)
    groups = [range(0, 40, 3), [k for k in range(40) if k % 3]]
    best, label, total, error = open_compiled_scores(prediction).find_best_and_total(groups)
    logits = prediction["sem_seg"]
    for group, value, ids in zip(groups, best, label, strict=True):
        expected = logits[list(group)].max(dim=0)
        assert torch.equal(torch.from_numpy(value), expected.values)
        assert torch.equal(torch.from_numpy(ids).long(), torch.tensor(list(group))[expected.indices])
    exact = (logits - logits.amax(dim=0)).double().exp().sum(dim=0)
    assert float((torch.from_numpy(total) / exact - 1).abs().max()) < error < 1e-4


@needs_numba
def test_the_exponential_keeps_its_bound() -> None:
    from benchmark.core.tile_kernels import EXP_ERROR, WIDEST, _exp

    for x in [
        0.0,
        -1e-30,
        -1e-3,
        WIDEST,
        *np.random.default_rng(0).uniform(-86.9, WIDEST, 2000).astype(np.float32).tolist(),
    ]:
        assert abs(_exp(np.float32(x)) / math.exp(x) - 1) < EXP_ERROR
    assert _exp(np.float32(0)) == 1 and 0 <= _exp(np.float32(-1e30)) < 2e-38


def transpose(low_res: Tensor) -> Tensor:
    return low_res.contiguous(memory_format=torch.channels_last)


def put(value: float) -> Callable[[Tensor], Tensor]:
    def change(low_res: Tensor) -> Tensor:
        low_res[0, 7, 3, 3] = value
        return low_res

    return change


@pytest.mark.parametrize(
    "change",
    [transpose, Tensor.bfloat16, Tensor.double, put(math.inf), put(math.nan), put(2e30)],
    ids=["channels last", "half precision", "double precision", "infinity", "nan", "huge"],
)
def test_other_scores_are_left_to_torch(change: Callable[[Tensor], Tensor]) -> None:
    assert open_compiled_scores(predict(change(draw(20, (16, 20))), SIZES["once"])) is None


def test_outputs_that_torch_resizes_in_another_way_are_left_to_torch() -> None:
    assert open_compiled_scores(predict(draw(20, (8, 8)), ((8, 8), (64, 64), (64, 64), (64, 64)))) is None


def test_predictions_that_fit_into_one_chunk_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert open_compiled_scores(predict(draw(20, (16, 20)), SIZES["once"])) is None


def test_without_numba_torch_computes_label_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_scores, "load_kernels", lambda: None)
    prediction = predict(draw(20, (16, 20)), SIZES["once"])
    assert open_compiled_scores(prediction) is None
    assert torch.equal(compute_label_map(prediction), prediction["sem_seg"].argmax(dim=0))


@needs_numba
@pytest.mark.parametrize("fault", ["another last bit", "an error of the compiler"])
def test_loops_that_differ_from_torch_in_one_bit_are_not_used(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    class Broken:
        @staticmethod
        def find_best(*arguments: object, **options: object) -> object:
            if fault == "an error of the compiler":
                raise RuntimeError("LLVM knows no such processor")
            best, label, total = load_kernels().find_best(*arguments, **options)
            best[0, 5, 5] = np.nextafter(best[0, 5, 5], np.float32(9))
            return best, label, total

    monkeypatch.setattr(compiled_scores, "_geometries", {})
    monkeypatch.setattr(compiled_scores.CompiledScores, "_kernels", Broken)
    assert open_compiled_scores(predict(draw(20, (16, 20)), SIZES["once"])) is None
