"""Tests of compute reports: rows, totals, tuning, GPUs, formats and the paragraph."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.plan import Plan
from benchmark.report.compute.attempt_times import read_attempt_times
from benchmark.report.compute.compute_report import FORMATS, render
from benchmark.report.compute.compute_rows import collect_compute
from benchmark.report.compute.compute_table import list_notes
from benchmark.report.compute.durations import describe_time, format_hours
from benchmark.report.compute.machine_kind import UNKNOWN, find_machines
from benchmark.store.reruns import list_replaced
from benchmark.store.store import Store
from tests.core.machines import GPU, make_environment
from tests.report.compute.spent import begin, fail, finish, put_failure_aside
from tests.report.world import BUDGET, COST, even, plan_of, save, spec_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def fill(store: Store) -> Plan:
    """Save three runs of 10, 20 and 60 minutes, and before the last of them a failure of 30 minutes."""
    ids = {}
    for seed, length in enumerate((10, 20)):
        begin(store, spec_of(seed=seed), 1, 0)
        ids[seed] = finish(store, spec_of(seed=seed), 1, (0, length))
    spec = spec_of(seed=2)
    begin(store, spec, 1, 0)
    fail(store, spec, 1, (0, 30))
    put_failure_aside(store, spec, 1)
    begin(store, spec, 2, 100)
    ids[2] = finish(store, spec, 2, (100, 160))
    return plan_of({"paper": ids})


def test_a_row_has_the_time_per_run_and_of_all_attempts(store: Store) -> None:
    compute = collect_compute(store, fill(store))
    (row,) = compute.rows
    assert row.run_seconds == [600, 1200, 3600] and row.median_seconds == 1200
    assert (row.train_seconds, row.rest_seconds) == (87 * 60, 3 * 60)
    value = json.loads(render(compute, fmt="json"))
    assert value["total"]["hours_done"] == 1.5 and value["total"]["hours_further_attempts"] == 0.5
    assert value["rows"][0]["attempts_failed"] == 1 and value["total"]["hours"] == 2.0
    assert not value["total"]["is_lower_bound"]


def test_the_paragraph_says_what_a_checklist_asks_for(store: Store) -> None:
    text = render(collect_compute(store, fill(store)))
    paragraph = text.rstrip().splitlines()[-1]
    assert paragraph == (
        "All 3 runs used a CPU of type Test CPU with 1 thread each. One run took 20.0 minutes (median; 10.0 minutes to "
        "60.0 minutes); 97% of this time was training. A process had at most 0.8 GB of resident memory. All runs "
        "together took 90.0 minutes. In addition, 1 failed attempt took 30.0 minutes. This does not include tuning "
        "trials."
    )


@pytest.mark.parametrize("trained", [59, 90])
def test_the_paragraph_says_if_the_time_of_runs_has_training_that_was_interrupted(store: Store, trained: int) -> None:
    plan, spec = fill(store), spec_of("paper", seed=3)
    begin(store, spec, 1, 0)  # and killed
    begin(store, spec, 2, 100)
    run = finish(store, spec, 2, (100, 160), cost=COST.model_copy(update={"train_seconds": 60 * trained}))
    text = render(collect_compute(store, plan_of({"paper": plan.rows[0].ids | {3: run}})))
    assert ("minutes), with the interrupted training that it continued; " in " ".join(text.split())) == (trained > 60)


@pytest.mark.parametrize("damage", ["cut short", "of another run"])
def test_a_result_that_no_table_can_read_is_not_done(store: Store, damage: str) -> None:
    plan = fill(store)
    counts, other = (store.run(plan.rows[0].ids[seed]).counts_path for seed in (0, 1))
    counts.write_bytes(counts.read_bytes()[:100] if damage == "cut short" else make_other_counts(store, other))
    compute = collect_compute(store, plan)
    assert (compute.rows[0].run_seconds, len(compute.rows[0].further)) == ([1200, 3600], 2)
    (note,) = [text for text in list_notes(compute) if text.startswith("1 run with a result that cannot be read")]
    assert counts.parent.name in note and "counted as replaced" in note


def make_other_counts(store: Store, path: Path) -> bytes:
    """Return the file of counts of a run with other counts."""
    spec = spec_of("other", seed=9)
    save(store, spec, even(70, 10))
    assert store.run(spec.id).counts_path.read_bytes() != path.read_bytes()
    return store.run(spec.id).counts_path.read_bytes()


def test_the_record_of_another_run_is_no_result(store: Store) -> None:
    plan = fill(store)
    record, other = (store.run(plan.rows[0].ids[seed]).record_path for seed in (0, 1))
    record.write_bytes(other.read_bytes())
    assert collect_compute(store, plan).rows[0].run_seconds == [1200, 3600]


def test_unknown_times_are_called_unknown(store: Store) -> None:
    spec = spec_of()
    begin(store, spec, 1, 0)
    begin(store, spec, 2, 100)
    finish(store, spec, 2, (100, 110))
    text = render(collect_compute(store, plan_of({"paper": {0: spec.id}})))
    assert "1 attempt of unknown time, which no sum includes." in text
    assert "In addition, there was 1 interrupted attempt, whose time is not recorded." in text
    assert "≥ 0.17" in text


def test_tuning_trials_are_counted_apart_and_shared_runs_once(store: Store) -> None:
    plan, trial = fill(store), spec_of("tuned")
    finish(store, trial, 1, (0, 120))
    shared = plan_of({"paper": dict(plan.rows[0].ids), "tuned": {0: trial.id}}).model_copy(update={"study": "tuning"})
    compute = collect_compute(store, plan, tuning=[shared])
    value = json.loads(render(compute, fmt="json"))
    assert value["tuning"]["hours"] == 2.0 and value["total"]["hours"] == 2.0
    assert value["paragraph"].endswith("Another 1 tuning trial took 2.0 hours, which makes 4.0 hours in all.")
    text = render(compute)
    assert "tuning: tuning" in text and "Total with tuning" in text and "--tuning" not in text
    assert "Tuning trials are not included: name their studies with --tuning STUDY." in render(
        collect_compute(store, plan)
    )


@pytest.mark.parametrize(
    ("micro_batches", "devices", "hours", "is_known"), [(1, 0, 1, True), (4, 4, 4, True), (4, 0, 1, False)]
)
def test_gpu_hours_count_the_gpus_of_a_run(
    store: Store, micro_batches: int, devices: int, hours: float, is_known: bool
) -> None:
    spec = spec_of(budget=BUDGET.model_copy(update={"micro_batches": micro_batches}))
    finish(store, spec, 1, (0, 60), environment=make_environment(gpu=GPU))
    known = {spec.id: devices} if devices else {}
    compute = collect_compute(store, plan_of({"paper": {0: spec.id}}), devices=known)
    assert compute.rows[0].gpu_seconds == hours * 3600
    text = render(compute)
    assert ("is not recorded: one is counted" in text) is not is_known
    assert f"the study took {'' if is_known else 'at least '}{hours}.00 GPU hours" in text


def test_runs_on_processors_have_no_gpu_hours(store: Store) -> None:
    text = render(collect_compute(store, fill(store)))
    assert "GPU h" not in text.replace("GPUs", "")


def test_machines_are_told_apart_and_an_unknown_one_is_not_guessed(store: Store) -> None:
    spec = spec_of()
    begin(store, spec, 1, 0, host="other")
    begin(store, spec, 2, 10)
    begin(store, spec, 3, 20)
    finish(store, spec, 3, (20, 30), environment=make_environment(gpu=GPU))
    kinds = find_machines(read_attempt_times(store, spec.id, replaced=list_replaced(store)))
    assert kinds[0] == UNKNOWN and kinds[1] == kinds[2] and kinds[2].name == "Test GPU"
    second = spec_of(seed=1)
    finish(store, second, 1, (0, 5))
    compute = collect_compute(store, plan_of({"paper": {0: spec.id, 1: second.id}}))
    assert "Of 2 runs, 1 used a CPU of type Test CPU with 1 thread and 1 used 1 Test GPU GPU." in render(compute)


def test_planned_runs_without_attempts_are_named(store: Store) -> None:
    plan = fill(store)
    more = plan_of({"paper": {**plan.rows[0].ids, 7: spec_of(seed=7).id}})
    assert "1 planned run without any attempt." in render(collect_compute(store, more))
    with pytest.raises(ValueError, match="no compute to report"):
        render(collect_compute(store, plan_of({"paper": {9: spec_of(seed=9).id}})))


def test_labels_that_two_methods_have_get_the_method_in_front(store: Store) -> None:
    plan, other = fill(store), spec_of(method="other")
    finish(store, other, 1, (0, 5))
    row = plan.rows[0].model_copy(update={"method": "other", "ids": {0: other.id}})
    labels = [row.label for row in collect_compute(store, plan.model_copy(update={"rows": (*plan.rows, row)})).rows]
    assert labels == ["demo/paper", "other/paper"]


def test_every_format_has_the_numbers(store: Store) -> None:
    compute = collect_compute(store, fill(store))
    texts: dict[str, str] = {fmt: render(compute, fmt=fmt) for fmt in FORMATS}
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [(row["runs_done"], row["hours"]) for row in rows] == [("3", "2.0")]
    assert "97\\% of this time" in texts["tex"] and "\\begin{tabular}" in texts["tex"]
    assert "| Row | Machine |" in texts["md"] and json.loads(texts["json"])["total"]["runs_done"] == 3
    with pytest.raises(KeyError, match="no format of compute reports 'jsn'; did you mean 'json'"):
        render(compute, fmt="jsn")


def test_times_are_written_with_the_digits_that_say_something() -> None:
    assert [format_hours(seconds) for seconds in (None, 0.2, 36, 3600, 400_000)] == ["-", "0", "0.01", "1.00", "111"]
    assert format_hours(3600, is_least=True) == "≥ 1.00"
    assert [describe_time(seconds) for seconds in (45, 750, 11_160)] == ["45 seconds", "12.5 minutes", "3.1 hours"]
