"""Estimates from finished runs, scaled by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_spec import RunSpec
from benchmark.planning.estimate import RowEstimate, estimate_rows, sum_hours
from benchmark.planning.selection import Request, Selection, select_runs
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


def test_a_row_without_a_finished_run_of_its_variant_has_no_number(store: Store) -> None:
    measure(store, select(store, "chimera_seg").specs[0])
    row = estimate(store, select(store))
    assert (row.pace, row.seconds, row.compute_hours(1)) == (None, None, None)
    assert sum_hours([row]) == {}


def test_the_time_of_a_run_is_that_of_the_finished_one(store: Store) -> None:
    selection = select(store, seeds=(0, 1, 2))
    run_id = measure(store, selection.specs[0])
    row = estimate(store, selection)
    assert row.pace is not None and row.pace.ids == (run_id,) and row.pace.has_same_config
    assert (row.runs, row.left, row.scale) == (3, 2, 1)
    assert row.seconds == pytest.approx(300)
    assert sum_hours([row])["CPU-hours"] == pytest.approx((900 / 3600, 600 / 3600))


def test_training_is_scaled_to_iterations_and_batch_and_the_rest_to_scored_images(store: Store) -> None:
    measure(store, select(store, fields={"max_images": 50}).specs[0])
    longer = {"budget.iterations": 300, "budget.batch_size": 16}
    row = estimate(store, select(store, overrides=longer, fields={"max_images": 25}))
    assert row.seconds == pytest.approx(200 * 6 + 100 / 2)
    assert row.scale == 6


def test_runs_of_the_variant_with_other_settings_stand_in_and_are_marked(store: Store) -> None:
    measure(store, select(store, "chimera_seg").specs[0])
    row = estimate(store, select(store, "chimera_seg", overrides={"sgd.weight": 3}))
    assert row.pace is not None and not row.pace.has_same_config
    assert row.seconds == pytest.approx(300)


def test_runs_of_another_protocol_are_no_measurement(store: Store) -> None:
    measure(store, select(store, fields={"protocol": "zegformer"}).specs[0])
    assert estimate(store, select(store)).seconds is None


def test_runs_of_several_machines_are_not_mixed(store: Store) -> None:
    first, second = select(store, seeds=(0, 1)).specs
    measure(store, first, train_s=100)
    later: dict[str, Any] = {key: time.replace("2030-01-01", "2030-01-02") for key, time in TIMES.items()}
    measure(store, second, environment=make_environment(threads=4), **later)
    row = estimate(store, select(store))
    assert row.pace is not None and row.pace.threads == 4
    assert row.compute_hours(1) == pytest.approx(4 * 300 / 3600)


def test_a_few_slow_runs_do_not_change_the_estimate(store: Store) -> None:
    for spec, train_s in zip(select(store, seeds=(0, 1, 2)).specs, (100, 110, 900), strict=True):
        measure(store, spec, train_s=train_s)
    row = estimate(store, select(store))
    assert row.pace is not None and row.pace.train_s == pytest.approx(110 / row.pace.trained_images)


def test_a_resumed_run_is_measured_by_its_training_and_its_latency(store: Store) -> None:
    selection = select(store, fields={"max_images": 40})
    measure(store, selection.specs[0], attempts=2)
    assert estimate(store, selection).seconds == pytest.approx(200 + 40 * COST.latency_ms / 1000)


def test_hours_on_a_gpu_are_those_of_the_gpu_however_many_threads_a_run_has(store: Store) -> None:
    selection = select(store)
    measure(store, selection.specs[0], environment=make_environment(threads=8, gpu=GPU))
    totals = sum_hours([estimate(store, selection)])
    assert list(totals) == ["GPU-hours"] and totals["GPU-hours"] == pytest.approx((300 / 3600, 0))
