"""Estimates from finished runs and measured paces, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_spec import RunSpec
from benchmark.planning.estimate import RowEstimate, estimate_rows, sum_hours
from benchmark.planning.requested_study import Request
from benchmark.planning.run_time import RunTime
from benchmark.planning.selection import Selection, select_runs
from benchmark.store.store import Store
from tests.core.machines import GPU, make_environment
from tests.report.world import COST, even, save

TIMES = {"started": "2030-01-01T00:00:00+00:00", "finished": "2030-01-01T00:05:00+00:00"}
SHORT = {"budget.iterations": 100, "budget.batch_size": 8}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def select(store: Store, name: str = "spnet", **changes: Any) -> Selection:
    overrides = SHORT | changes.pop("overrides", {})
    return select_runs(Request(name, overrides=overrides, **changes), store=store, keep=False)


def measure(store: Store, spec: RunSpec, *, train_s: float = 200.0, **changes: Any) -> str:
    """Save a run of 300 seconds, of which training took some."""
    cost = COST.model_copy(update={"train_seconds": train_s})
    return save(store, spec, even(80, 60), **{"cost": cost, **TIMES, **changes})


def estimate(store: Store, selection: Selection) -> RowEstimate:
    (row,) = estimate_rows(selection, store)
    return row


def estimate_time(store: Store, selection: Selection) -> RunTime:
    time = estimate(store, selection).time
    assert time is not None
    return time


def approximate(seconds: float) -> Any:
    return pytest.approx((seconds, seconds))


def test_a_row_without_a_finished_run_of_its_variant_has_no_number(store: Store) -> None:
    measure(store, select(store, "chimera_seg").specs[0])
    row = estimate(store, select(store))
    assert row.time is None
    assert sum_hours([row]) == {}


def test_the_time_of_a_run_is_that_of_the_finished_one(store: Store) -> None:
    selection = select(store, seeds=(0, 1, 2))
    run_id = measure(store, selection.specs[0])
    row = estimate(store, selection)
    assert row.time is not None and row.time.facts["runs"] == [run_id]
    assert (row.runs, row.left, row.time.basis) == (3, 2, "1 finished run")
    assert row.time.seconds == approximate(300)
    assert row.time.memory_gb == approximate(COST.peak_memory_mb / 1024)
    assert sum_hours([row])["CPU-hours"] == approximate(900 / 3600)
    assert sum_hours([row], only_left=True)["CPU-hours"] == approximate(600 / 3600)


def test_shorter_runs_are_scaled_to_images_and_named_an_extrapolation(store: Store) -> None:
    measure(store, select(store, fields={"max_images": 50}).specs[0])
    longer = {"budget.iterations": 300, "budget.batch_size": 16}
    time = estimate_time(store, select(store, overrides=longer, fields={"max_images": 25}))
    assert time.seconds == approximate(200 * 6 + 100 / 2)
    assert time.kind == "extrapolated" and time.basis == "extrapolated x6 from 1 finished run"
    assert time.memory_gb is None


def test_a_run_that_scored_fewer_images_is_no_whole_run(store: Store) -> None:
    measure(store, select(store, fields={"max_images": 50}).specs[0])
    assert estimate_time(store, select(store)).kind == "extrapolated"


def test_runs_of_the_variant_with_other_settings_stand_in_and_are_marked(store: Store) -> None:
    measure(store, select(store, "chimera_seg").specs[0])
    time = estimate_time(store, select(store, "chimera_seg", overrides={"sgd.weight": 3}))
    assert "of the variant with other settings" in time.basis
    assert time.seconds == approximate(300)


def test_runs_of_another_protocol_are_no_measurement(store: Store) -> None:
    measure(store, select(store, fields={"protocol": "zegformer"}).specs[0])
    assert estimate(store, select(store)).time is None


def test_runs_of_several_machines_are_not_mixed(store: Store) -> None:
    first, second = select(store, seeds=(0, 1)).specs
    measure(store, first, train_s=100)
    later: dict[str, Any] = {key: time.replace("2030-01-01", "2030-01-02") for key, time in TIMES.items()}
    measure(store, second, environment=make_environment(threads=4), **later)
    time = estimate_time(store, select(store))
    assert time.threads == 4
    assert time.compute_hours(1) == approximate(4 * 300 / 3600)


def test_a_few_slow_runs_do_not_change_the_estimate(store: Store) -> None:
    for spec, train_s in zip(select(store, seeds=(0, 1, 2)).specs, (100, 110, 900), strict=True):
        measure(store, spec, train_s=train_s)
    time = estimate_time(store, select(store))
    assert time.facts["seconds_per_training_image"] == pytest.approx(110 / 800)


def test_a_resumed_run_is_measured_by_its_training_and_its_latency(store: Store) -> None:
    selection = select(store, fields={"max_images": 40})
    measure(store, selection.specs[0], attempts=2)
    assert estimate_time(store, selection).seconds == approximate(200 + 40 * COST.latency_ms / 1000)


def test_hours_on_a_gpu_are_those_of_the_gpu_however_many_threads_a_run_has(store: Store) -> None:
    selection = select(store)
    measure(store, selection.specs[0], environment=make_environment(threads=8, gpu=GPU))
    totals = sum_hours([estimate(store, selection)])
    assert list(totals) == ["GPU-hours"] and totals["GPU-hours"] == approximate(300 / 3600)
