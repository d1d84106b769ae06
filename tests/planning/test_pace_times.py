"""Estimates from measured paces, worked out by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import digest_code
from benchmark.core.run_spec import RunSpec
from benchmark.planning.estimate import estimate_rows
from benchmark.planning.outline import outline_runs
from benchmark.planning.pace_key import make_pace_key
from benchmark.planning.pace_times import TargetGpu, compute_for_gpu, estimate_from_pace
from benchmark.planning.requested_study import Request
from benchmark.planning.run_code import describe_code
from benchmark.planning.run_time import RunTime
from benchmark.planning.selection import Selection, select_runs
from benchmark.store.paces import EvalPace, Flops, MeasuredPace, TrainPace, read_paces, write_pace
from benchmark.store.store import Store
from tests.core.machines import GPU, make_environment
from tests.report.world import even, save

GB = 1024.0
A100 = TargetGpu(memory_gb=80)
FLOPS = Flops(matrix=39 * 10**12, convolution=156 * 10**12)
"""2 + 1 seconds at the peaks of the A100 in float32."""
TRAINING = TrainPace(
    images=2, passes=3, pass_s=4.0, cpu_s=4.0, process_mb=2 * GB, peak_mb=3 * GB, saved_mb=1 * GB, flops=FLOPS
)
EVALUATION = EvalPace(images=2, image_s=0.5, cpu_s=0.5, process_mb=GB, peak_mb=100.0, flops=FLOPS)
OVERRIDES = {"budget.iterations": 100, "budget.batch_size": 8}


def outline_spnet(**changes: Any) -> Selection:
    """Return a run of 800 training images that scores 10."""
    return outline_runs(Request("spnet", overrides=OVERRIDES | changes, fields={"max_images": 10}))


@cache
def find_code() -> str:
    return digest_code(describe_code(outline_spnet().specs[0]))


def make_pace(spec: RunSpec, **changes: Any) -> MeasuredPace:
    fields: dict[str, Any] = {
        "key": make_pace_key(spec),
        "code": find_code(),
        "row": "spnet/SPNet",
        "device": "cpu (test)",
        "is_gpu": False,
        "threads": 1,
        "parameters": 2**28,  # 1 GB
        "trained": 2**28,
        "start_s": 5.0,
        "training": TRAINING,
        "evaluation": EVALUATION,
        "data": "images of toybox",
        "weights": "random",
        "measured": "2030-01-01T00:00:00+00:00",
    }
    return MeasuredPace(**fields | changes)


def estimate(store: Store, selection: Selection, *, gpu: TargetGpu | None = None) -> RunTime | None:
    (row,) = estimate_rows(selection, store, gpu=gpu)
    return row.time


def test_passes_are_scaled_to_the_steps_of_a_run() -> None:
    spec = outline_spnet().specs[0]
    time = estimate_from_pace(spec, make_pace(spec))
    assert time.seconds == pytest.approx((5 + 400 * 4 + 10 * 0.5,) * 2)
    assert time.basis == "measured here on CPU, 3 passes of 2 of 8 images"
    assert "scaled to the batch" in time.explanation


def test_a_busy_machine_gives_a_range_from_the_time_of_its_threads() -> None:
    spec = outline_spnet().specs[0]
    busy = TRAINING.model_copy(update={"cpu_s": 2.0})
    time = estimate_from_pace(spec, make_pace(spec, training=busy))
    assert time.seconds == pytest.approx((400 * 2 + 10 * 0.5, 5 + 400 * 4 + 10 * 0.5))
    assert "others used the machine" in time.explanation


def test_the_memory_of_a_whole_pass_is_that_of_the_process() -> None:
    spec = outline_spnet(**{"budget.batch_size": 2}).specs[0]
    time = estimate_from_pace(spec, make_pace(spec))
    assert (time.memory_gb, time.basis) == ((2, 2), "measured here on CPU, 3 steps")


def test_the_time_on_a_gpu_is_a_range_of_operations_over_its_peaks() -> None:
    spec = outline_spnet().specs[0]
    time = compute_for_gpu(spec, make_pace(spec), A100)
    assert time.seconds == pytest.approx((810 * 3 / 0.5, 800 * 3 / 0.3 + 10 * 3 / 0.1))
    assert time.kind == "computed" and time.unit == "GPU-hours" and "no GPU was measured" in time.explanation


def test_in_bfloat16_both_kinds_of_operations_have_its_peak() -> None:
    seconds = A100.compute_s(FLOPS, precision="bf16-mixed", utilization=(0.5, 0.5))
    assert seconds == pytest.approx((2 * 195 / 312,) * 2)


def test_memory_is_between_what_must_exist_and_what_was_measured_with_reserves() -> None:
    spec = outline_spnet().specs[0]
    time = compute_for_gpu(spec, make_pace(spec), A100)
    states = 1 + 3  # parameters; gradients and two moments
    assert time.memory_gb == pytest.approx((states + 8 * 1, states + 1.1 * 8 * 3 + 2))
    assert time.verdict == "fits"


@pytest.mark.parametrize(
    ("memory_gb", "verdict"),
    [(33, "fits"), (20, "may not fit (fits with budget.micro_batches=2)"), (11, "does not fit")],
)
def test_what_may_not_fit_is_told_how_it_does(memory_gb: float, verdict: str) -> None:
    spec = outline_spnet().specs[0]
    assert compute_for_gpu(spec, make_pace(spec), TargetGpu(memory_gb)).verdict == verdict


def test_a_pace_of_other_code_is_not_used(tmp_path: Path) -> None:
    selection, store = outline_spnet(), Store(tmp_path)
    write_pace(store, make_pace(selection.specs[0], code="other"))
    assert estimate(store, selection) is None


def test_a_pace_fits_runs_with_other_weights_seeds_and_lengths(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_pace(store, make_pace(outline_spnet().specs[0]))
    assert estimate(store, outline_spnet(**{"body.weights": None, "budget.iterations": 7})) is not None
    assert estimate(store, outline_spnet(**{"budget.batch_size": 4})) is None


def test_a_whole_run_comes_before_a_pace_and_a_pace_before_a_shorter_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    request = Request("spnet", overrides=OVERRIDES)
    spec, shorter = (
        select_runs(asked, store=store, keep=False).specs[0]
        for asked in (request, Request("spnet", overrides=OVERRIDES | {"budget.iterations": 10}))
    )
    save(store, shorter, even(80, 60))
    write_pace(store, make_pace(spec))
    selection = select_runs(request, store=store, keep=False)
    assert (time := estimate(store, selection)) is not None and time.basis.startswith("measured here on CPU")
    save(store, spec, even(80, 60))
    assert (time := estimate(store, selection)) is not None and time.basis == "1 finished run"


def test_for_a_gpu_a_run_on_a_gpu_comes_before_the_computation(tmp_path: Path) -> None:
    store = Store(tmp_path)
    selection = select_runs(Request("spnet", overrides=OVERRIDES), store=store, keep=False)
    spec = selection.specs[0]
    save(store, spec.with_seed(1), even(80, 60))  # on a CPU
    write_pace(store, make_pace(spec))
    assert (time := estimate(store, selection, gpu=A100)) is not None and time.kind == "computed"
    save(store, spec, even(80, 60), environment=make_environment(gpu=GPU))
    assert (time := estimate(store, selection, gpu=A100)) is not None and time.kind == "measured"


def test_a_second_measurement_replaces_the_first_and_a_broken_file_is_passed_over(tmp_path: Path) -> None:
    store, spec = Store(tmp_path), outline_spnet().specs[0]
    write_pace(store, make_pace(spec, start_s=1.0))
    path = write_pace(store, make_pace(spec, start_s=2.0))
    (path.parent / "spnet-0.json").write_text("{")
    assert [pace.start_s for pace in read_paces(store, {"spnet"})] == [2.0]
