"""What a store can do without, and what is never deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store.cleanup import Kind, delete, list_leftovers, list_stale_in_plans
from benchmark.store.reruns import open_rerun_store
from benchmark.store.store import Store
from benchmark.utils.lock import hold_lock
from tests.report.world import even, plan_of, save, spec_of

FAILURE = Failure(kind="ValueError", message="no")
OF_ANOTHER_HOST = ".draft-01234567-1-1-01234567-"
STALE_CODE = {"methods/maskclip.py": "older"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def find(store: Store, *kinds: Kind, **states: RunState) -> list[Path]:
    """Return the paths of leftovers, with states as the files say them or as given by seed, such as s3."""
    known = {run_id: store.run(run_id).read_state() for run_id in store.list_ids()}
    known |= {run_id: state for run_id in known for seed, state in states.items() if f"-{seed}-" in run_id}
    return [leftover.path.relative_to(store.root) for leftover in list_leftovers(store, kinds, known)[0]]


def test_failed_runs_are_listed_with_their_size(store: Store) -> None:
    save(store, spec_of(seed=0), even(80, 60))
    run = store.run(save(store, spec_of(seed=1), FAILURE))
    (run.path / "big").write_bytes(b"0" * 1000)
    ((leftover,), _) = list_leftovers(store, [Kind.FAILED], {run.id: RunState.FAILED})
    assert leftover.path == run.path
    assert leftover.size == 1000 + run.record_path.stat().st_size


def test_a_failed_run_that_waits_in_a_queue_or_runs_is_not_listed(store: Store) -> None:
    for seed in range(3):
        save(store, spec_of(seed=seed), FAILURE)
    found = find(store, Kind.FAILED, s0=RunState.WAITING, s1=RunState.UNKNOWN)
    assert found == [Path(spec_of(seed=2).id)]


def test_failed_reruns_are_listed(store: Store) -> None:
    save(store, spec_of(), even(80, 60))
    save(open_rerun_store(store), spec_of(), FAILURE)
    assert find(store, Kind.FAILED) == [Path("reruns") / spec_of().id]


def test_stale_results_are_listed_unless_a_plan_names_them(store: Store) -> None:
    ids = [save(store, spec_of(seed=seed), even(80, 60), code=STALE_CODE) for seed in range(2)]
    save(store, spec_of(seed=2), even(80, 60))
    store.write_plan(plan_of({"paper": {0: ids[0]}}))
    assert find(store, Kind.STALE) == [Path(ids[1])]
    assert list_stale_in_plans(store, dict.fromkeys(ids, RunState.DONE)) == ids[:1]


def test_plans_that_were_never_begun_are_listed_with_their_memos(store: Store) -> None:
    store.write_plan(plan_of({"paper": {0: "demo-s0-0123456789abcdef"}}).model_copy(update={"study": "never"}))
    (store.root / "plans" / "never.memo").touch()
    save(store, spec_of(), FAILURE)
    store.write_plan(plan_of({"paper": {0: spec_of().id}}))
    assert find(store, Kind.PLANS) == [Path("plans/never.json"), Path("plans/never.memo")]


def test_drafts_are_listed_outside_of_active_runs_and_elsewhere_if_they_are_old(store: Store) -> None:
    for seed in range(2):
        path = store.run(save(store, spec_of(seed=seed), FAILURE)).path
        (path / f"{OF_ANOTHER_HOST}checkpoint.pt").touch()
    for name in ("new", "old"):
        (store.root / f"{OF_ANOTHER_HOST}{name}").touch()
    os.utime(store.root / f"{OF_ANOTHER_HOST}old", (1, 1))
    found = find(store, Kind.DRAFTS, s0=RunState.RUNNING)
    inner = Path(spec_of(seed=1).id) / f"{OF_ANOTHER_HOST}checkpoint.pt"
    assert found == [Path(f"{OF_ANOTHER_HOST}old"), inner]


def test_deleting_removes_the_folder_of_a_run(store: Store) -> None:
    run = store.run(save(store, spec_of(), FAILURE))
    ((leftover,), _) = list_leftovers(store, [Kind.FAILED], {run.id: RunState.FAILED})
    assert delete(leftover)
    assert list(store.root.iterdir()) == []


def test_a_run_that_was_started_or_finished_meanwhile_is_kept(store: Store) -> None:
    run = store.run(save(store, spec_of(), FAILURE))
    ((leftover,), _) = list_leftovers(store, [Kind.FAILED], {run.id: RunState.FAILED})
    with hold_lock(run.path):
        assert not delete(leftover)
    run.record_path.unlink()
    save(store, spec_of(), even(80, 60))
    assert not delete(leftover) and run.read_state() is RunState.DONE


def test_a_deletion_that_was_cut_short_is_listed_as_a_draft(store: Store) -> None:
    (store.root / f".deleted-{spec_of().id}" / "attempts").mkdir(parents=True)
    assert find(store, Kind.DRAFTS) == [Path(f".deleted-{spec_of().id}")]


def test_the_index_can_be_deleted(store: Store) -> None:
    (store.root / "index").mkdir(parents=True)
    (store.root / "index" / "runs-0").write_text("")
    ((leftover,), _) = list_leftovers(store, [Kind.INDEX], {})
    assert delete(leftover) and list((store.root / "index").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Kind.INDEX, "index/notes.txt"),
        (Kind.INDEX, "index/report-of-mine"),
        (Kind.DRAFTS, ".draft-letter"),
        (Kind.DRAFTS, ".deleted-photos/a.jpg"),
        (Kind.REPLACED, "replaced/notes.txt"),
    ],
)
def test_files_of_other_programs_are_left_alone_and_named(store: Store, kind: Kind, name: str) -> None:
    path = store.root / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    os.utime(path, (1, 1))
    leftovers, (foreign,) = list_leftovers(store, [kind], {})
    assert leftovers == [] and path.is_relative_to(foreign.path) and foreign.reason == "not written by chimera-bench"


@pytest.mark.parametrize(
    ("kind", "folder", "name"),
    [(Kind.INDEX, "index", "runs-0"), (Kind.PLANS, "plans", "demo.json"), (Kind.FAILED, "reruns", spec_of().id)],
)
def test_nothing_behind_a_link_is_deleted(store: Store, tmp_path: Path, kind: Kind, folder: str, name: str) -> None:
    inner = Store(tmp_path / "runs" / folder) if folder == "reruns" else store
    save(inner, spec_of(), FAILURE)
    (store.root / "index").mkdir()
    (store.root / "index" / "runs-0").touch()
    store.write_plan(plan_of({"paper": {0: spec_of(seed=7).id}}))
    (store.root / folder).rename(tmp_path / "elsewhere")
    (store.root / folder).symlink_to(tmp_path / "elsewhere")
    states = {} if kind is Kind.FAILED else {spec_of().id: RunState.FAILED}
    leftovers, (foreign,) = list_leftovers(store, [kind], states)
    assert leftovers == [] and foreign.path == store.root / folder and (tmp_path / "elsewhere" / name).exists()


def test_a_failed_run_that_is_a_link_is_left_alone(store: Store, tmp_path: Path) -> None:
    run = store.run(save(store, spec_of(), FAILURE))
    run.path.rename(tmp_path / "elsewhere")
    run.path.symlink_to(tmp_path / "elsewhere")
    leftovers, (foreign,) = list_leftovers(store, [Kind.FAILED], {run.id: RunState.FAILED})
    assert leftovers == [] and foreign.reason == f"a link to {tmp_path / 'elsewhere'}"


def test_a_plan_that_is_called_like_a_pattern_takes_no_other_plan_along(store: Store) -> None:
    save(store, spec_of(), FAILURE)
    store.write_plan(plan_of({"paper": {0: spec_of().id}}))
    store.write_plan(plan_of({"paper": {0: spec_of(seed=7).id}}).model_copy(update={"study": "*"}))
    assert find(store, Kind.PLANS) == [Path("plans/*.json")]
