"""Tests of the time of attempts: what is on record, at least, and not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmark.core.run_record import ImportedLabels
from benchmark.report.compute.attempt_times import Ending, read_attempt_times
from benchmark.store.reruns import list_replaced, open_rerun_store, replace_result
from benchmark.store.store import Store
from tests.report.compute.spent import at, beat, begin, fail, finish, put_failure_aside
from tests.report.world import COST, spec_of

SPEC = spec_of()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def read(store: Store) -> list[tuple[Ending, float | None, bool]]:
    """Return ending, minutes and whether these are the least, of every attempt."""
    times = read_attempt_times(store, SPEC.id, replaced=list_replaced(store))
    return [(t.ending, t.seconds if t.seconds is None else t.seconds / 60, t.is_least) for t in times]


def test_a_run_that_was_never_begun_has_no_attempts(store: Store) -> None:
    assert read(store) == []


def test_a_finished_attempt_took_the_time_from_its_start_to_its_end(store: Store) -> None:
    begin(store, SPEC, 1, 0)
    finish(store, SPEC, 1, (0, 10))
    assert read(store) == [(Ending.DONE, 10, False)]


def test_a_failure_that_was_put_aside_counts_with_its_own_time(store: Store) -> None:
    begin(store, SPEC, 1, 0)
    fail(store, SPEC, 1, (0, 4))
    put_failure_aside(store, SPEC, 1)
    begin(store, SPEC, 2, 60)
    finish(store, SPEC, 2, (60, 70))
    assert read(store) == [(Ending.FAILED, 4, False), (Ending.DONE, 10, False)]


def test_the_time_of_a_killed_attempt_is_not_made_up(store: Store) -> None:
    begin(store, SPEC, 1, 0)
    begin(store, SPEC, 2, 60)
    finish(store, SPEC, 2, (60, 70))
    beat(store, SPEC, 69)  # of the second attempt
    assert read(store) == [(Ending.INTERRUPTED, None, False), (Ending.DONE, 10, False)]


def test_training_that_was_continued_is_the_least_time_of_the_killed_attempt(store: Store) -> None:
    begin(store, SPEC, 1, 0)
    begin(store, SPEC, 2, 60)
    cost = COST.model_copy(update={"train_seconds": 25 * 60.0})
    finish(store, SPEC, 2, (60, 70), cost=cost)
    assert read(store) == [(Ending.INTERRUPTED, 15, True), (Ending.DONE, 10, False)]


def test_the_last_heartbeat_is_the_least_time_of_an_attempt_without_an_end(store: Store) -> None:
    begin(store, SPEC, 1, 5)
    beat(store, SPEC, 8)
    assert read(store) == [(Ending.INTERRUPTED, 3, True)]


def test_a_heartbeat_before_the_start_is_of_another_attempt(store: Store) -> None:
    begin(store, SPEC, 1, 5)
    beat(store, SPEC, 3)
    assert read(store) == [(Ending.INTERRUPTED, None, False)]


def test_a_failure_that_another_process_recorded_days_later_does_not_count_these_days(store: Store) -> None:
    begin(store, SPEC, 1, 0)
    fail(store, SPEC, 1, (0, 9999), code={})
    assert read(store) == [(Ending.FAILED, None, False)]
    beat(store, SPEC, 2)
    assert read(store) == [(Ending.FAILED, 2, True)]


def test_a_record_without_its_attempts_tells_how_many_there_were(store: Store) -> None:
    finish(store, SPEC, 3, (0, 10))
    assert read(store) == [(Ending.INTERRUPTED, None, False)] * 2 + [(Ending.DONE, 10, False)]


def test_a_replaced_result_and_its_rerun_both_count(store: Store) -> None:
    begin(store, SPEC, 1, 0)
    finish(store, SPEC, 1, (0, 10))
    reruns = open_rerun_store(store)
    begin(reruns, SPEC, 1, 100)
    assert read(store) == [(Ending.DONE, 10, False), (Ending.INTERRUPTED, None, False)]
    finish(reruns, SPEC, 1, (100, 107))
    replace_result(store, SPEC.id)
    assert read(store) == [(Ending.DONE, 7, False), (Ending.REPLACED, 10, False)]


def test_an_attempt_that_a_merge_kept_aside_as_well_counts_once(store: Store) -> None:
    begin(store, SPEC, 1, 0)
    shutil.copytree(store.run(SPEC.id).path, store.root / "replaced" / f"{SPEC.id}.1")
    finish(store, SPEC, 1, (0, 10))
    assert read(store) == [(Ending.DONE, 10, False)]


def test_imported_predictions_have_no_attempts(store: Store) -> None:
    imported = ImportedLabels(folder="/x", num_files=1, files_digest="0", labels_digest="0", ids="classes")
    finish(store, SPEC, 1, (0, 1), imported=imported, cost=None)
    assert read(store) == []


def test_a_broken_record_is_no_time(store: Store) -> None:
    begin(store, SPEC, 1, 0)
    store.run(SPEC.id).record_path.write_text("{")
    assert read(store) == [(Ending.INTERRUPTED, None, False)]
    assert read_attempt_times(store, SPEC.id, replaced=list_replaced(store))[0].started == at(0)
