"""Pace of tiny methods, and the memory and images that it is measured with."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from benchmark.core.split import load_split
from benchmark.data.split_checks import check_fits, require_captions
from benchmark.execution import measure_pace
from benchmark.execution.measure_pace import PaceRequest, measure_apart, measure_row
from benchmark.planning.outline import outline_runs
from benchmark.planning.requested_study import Request
from benchmark.profiling.pace import choose_size, list_pass_sizes
from benchmark.profiling.peak_memory import SavedTensors
from benchmark.profiling.synthetic_images import make_synthetic_images
from tests.cli.shell import TINY
from tests.profiling.own_process import measure

CLASSES = len(load_split("toybox").classes)


def outline(name: str, **overrides: Any) -> PaceRequest:
    (spec,) = outline_runs(Request(name, overrides=overrides)).specs
    return PaceRequest(spec, passes=2, images=2)


def test_a_row_is_measured_with_its_own_batch_and_operations() -> None:
    pace = measure_row(outline(TINY, **{"budget.batch_size": 4}))
    training = pace.training
    assert training is not None and (training.images, training.passes) == (4, 2)
    assert min(training.pass_s, training.cpu_s, training.saved_mb, pace.evaluation.image_s) > 0
    # 64 x 64 pixels, 3 colors, 2 operations; again in the backward pass, for the weight alone
    assert training.flops.convolution == 2 * pace.evaluation.flops.convolution == 2 * 64 * 64 * 3 * CLASSES * 2
    assert pace.parameters == pace.trained == CLASSES * (3 + 1) and pace.process_mb > 100


def test_a_method_without_training_has_no_training_pace() -> None:
    pace = measure_row(outline("maskclip"))
    assert pace.training is None and pace.trained == 0 and pace.evaluation.images == 2


def test_the_largest_part_of_a_batch_that_fits_is_measured() -> None:
    sizes = list_pass_sizes(16)
    assert sizes == [2, 4, 8, 16] and list_pass_sizes(1) == [1] and list_pass_sizes(3) == [3]
    assert choose_size(sizes, image_mb=100, free_mb=1000) == 8  # with a fifth more: 960
    assert choose_size(sizes, image_mb=100, free_mb=10) == 2


def test_saved_tensors_are_counted_once_and_without_parameters() -> None:
    layer = nn.Linear(256, 256)
    values = torch.ones(1024, 256)  # 1 MB
    with SavedTensors(layer) as saved:
        total = layer(values).square() + values.square().sum() * layer.bias.sum()
    assert total.requires_grad
    assert saved.total_mb == pytest.approx(2, abs=0.01)  # values, and the layer's output for the square


PIECE_OF_WORK = """
import numpy as np
import torch
from benchmark.profiling.peak_memory import watch_peak_memory

before = np.ones(50 * 2**20, dtype=np.uint8)
with watch_peak_memory(torch.device("cpu")) as peak:
    np.ones(100 * 2**20, dtype=np.uint8)
print(peak.added_mb, peak.total_mb)
"""


def test_the_peak_of_a_piece_of_work_does_not_count_what_was_there_before() -> None:
    added_mb, total_mb = measure(PIECE_OF_WORK)
    assert 80 < added_mb < 140 and total_mb > 150


def test_images_of_noise_fit_a_split_and_have_the_size_of_its_dataset() -> None:
    split = load_split("voc12").model_copy(update={"images": {}})
    images = make_synthetic_images(split)
    check_fits(images, split)
    raw = images.read(split.train, 3)
    assert raw.image.shape == (375, 500, 3) and raw.labels.shape == (375, 500)
    assert images.read_classes(split.train, 3) == frozenset(raw.labels.ravel().tolist()) <= set(range(20))
    assert require_captions(images).read_captions(split.train, 0) == ("a photo of a aeroplane",)


def test_a_row_whose_process_dies_says_so() -> None:
    reason = measure_apart(outline(TINY, end="die"))
    assert isinstance(reason, str) and "its process was killed" in reason


def test_a_process_that_measures_says_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_pace, "POLL_S", 0.05)
    stages: dict[str, float] = {}
    assert not isinstance(measure_apart(outline(TINY), observe=stages.__setitem__), str)
    assert list(stages)[:2] == ["starting", "building the method"] and stages["starting"] > 0
    assert list(stages)[-1] == "evaluated image 3 of 3" and "training pass 1 of 3" in stages
