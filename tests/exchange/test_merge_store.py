"""Tests of merging stores: what is copied, what is left alone, and that a killed merge leaves a correct store."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.exchange import merge_store
from benchmark.exchange.merge_decision import Fate
from benchmark.exchange.merge_store import MergeResult, merge
from benchmark.store.contract_record import ContractRecord, read_contract, save_contract
from benchmark.store.store import Store
from benchmark.utils.atomic_files import format_json
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.lock import hold_lock
from tests.report.world import even, save, spec_of


@pytest.fixture
def ours(tmp_path: Path) -> Store:
    return Store(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Store:
    return Store(tmp_path / "theirs")


def list_fates(result: MergeResult) -> list[Fate]:
    return [decision.fate for decision in result.runs]


def read_files(store: Store) -> dict[str, bytes]:
    paths = (path for path in store.root.rglob("*") if path.is_file())
    return {path.relative_to(store.root).as_posix(): path.read_bytes() for path in paths}


def test_runs_that_only_the_other_store_has_are_copied(ours: Store, theirs: Store) -> None:
    run_id = save(theirs, spec_of(), even(80, 60))
    (theirs.run(run_id).path / "checkpoint.pt").write_bytes(b"state")
    assert list_fates(merge(theirs.root, ours)) == [Fate.NEW]
    assert read_files(ours) == read_files(theirs)
    assert ours.run(run_id).read_counts() == even(80, 60)


def test_identical_runs_are_skipped_and_a_second_merge_changes_nothing(ours: Store, theirs: Store) -> None:
    for store in (ours, theirs):
        save(store, spec_of(), even(80, 60))
    before = read_files(ours)
    assert list_fates(merge(theirs.root, ours)) == list_fates(merge(theirs.root, ours)) == [Fate.IDENTICAL]
    assert read_files(ours) == before


def test_other_counts_of_one_run_are_reported_and_neither_is_overwritten(ours: Store, theirs: Store) -> None:
    save(ours, spec_of(), even(80, 60))
    save(theirs, spec_of(), even(80, 61))
    before = read_files(ours), read_files(theirs)
    result = merge(theirs.root, ours)
    assert list_fates(result) == [Fate.DIFFERENT] and result.exit_code is ExitCode.DIFFERENT
    assert "no recorded fact differs" in result.runs[0].reason and "AVX2" in result.runs[0].reason
    assert (read_files(ours), read_files(theirs)) == before


def test_a_dry_run_says_the_same_and_changes_nothing(ours: Store, theirs: Store) -> None:
    save(theirs, spec_of(), even(80, 60))
    assert list_fates(merge(theirs.root, ours, is_dry=True)) == [Fate.NEW]
    assert not ours.root.exists()


def test_running_ones_are_left_out(ours: Store, theirs: Store) -> None:
    spec = spec_of()
    with hold_lock(theirs.run(spec.id).path):
        assert list_fates(merge(theirs.root, ours)) == [Fate.RUNNING]
    save(theirs, spec, even(80, 60))
    with hold_lock(ours.run(spec.id).path):
        assert list_fates(merge(theirs.root, ours)) == [Fate.RUNNING]
    assert ours.run(spec.id).read_state() is RunState.MISSING


def test_a_result_replaces_a_failure_which_is_kept_aside(ours: Store, theirs: Store) -> None:
    run_id = save(ours, spec_of(), Failure(kind="OSError", message="disk"))
    save(theirs, spec_of(), even(80, 60))
    assert list_fates(merge(theirs.root, ours)) == [Fate.REPLACES]
    assert ours.run(run_id).read_state() is RunState.DONE
    assert (ours.root / "replaced" / f"{run_id}.1" / "record.json").is_file()
    assert ours.list_ids() == [run_id]


def test_a_failure_never_replaces_a_result(ours: Store, theirs: Store) -> None:
    run_id = save(ours, spec_of(), even(80, 60))
    save(theirs, spec_of(), Failure(kind="OSError", message="disk"))
    assert list_fates(merge(theirs.root, ours)) == [Fate.OLDER]
    assert ours.run(run_id).read_state() is RunState.DONE


def test_an_unfinished_run_is_taken_if_it_is_newer_than_ours(ours: Store, theirs: Store) -> None:
    failure = Failure(kind="OSError", message="disk")
    run_id = save(ours, spec_of(), failure, finished="2030-01-02T00:00:00+00:00")
    save(theirs, spec_of(), failure, finished="2030-01-01T00:00:00+00:00")
    assert list_fates(merge(theirs.root, ours)) == [Fate.OLDER]
    assert list_fates(merge(ours.root, theirs)) == [Fate.REPLACES]
    assert theirs.run(run_id).read_record().finished == "2030-01-02T00:00:00+00:00"


@pytest.mark.parametrize("name", ["counts.npz", "record.json"])
def test_a_broken_run_is_left_out_and_the_others_are_merged(ours: Store, theirs: Store, name: str) -> None:
    broken, good = save(theirs, spec_of(seed=1), even(80, 60)), save(theirs, spec_of(seed=2), even(80, 60))
    path = theirs.run(broken).path / name
    path.write_bytes(path.read_bytes()[:-40])
    result = merge(theirs.root, ours)
    assert {decision.run_id: decision.fate for decision in result.runs} == {broken: Fate.BROKEN, good: Fate.NEW}
    assert result.exit_code is ExitCode.FINISHED_WITH_FAILURES and ours.list_ids() == [good]


def test_a_result_with_the_spec_of_another_run_is_left_out(ours: Store, theirs: Store) -> None:
    run = theirs.run(save(theirs, spec_of(), even(80, 60)))
    run.spec_path.write_text(format_json(spec_of(seed=7)))
    (decision,) = merge(theirs.root, ours).runs
    assert decision.fate is Fate.BROKEN and "is the spec of another run" in decision.reason


def test_contract_tests_of_other_variants_are_joined(ours: Store, theirs: Store) -> None:
    save(theirs, spec_of(), even(80, 60))
    for store, variant in ((ours, "a"), (theirs, "b")):
        record = ContractRecord(method="own", source_digest="d1", splits={variant: "toybox"}, broken={variant: ()})
        save_contract(store.root, record)
    merge(theirs.root, ours)
    joined = read_contract(ours.root, "d1")
    assert joined is not None and joined.splits == {"a": "toybox", "b": "toybox"}


def test_a_merge_that_is_killed_leaves_whole_runs_and_a_second_call_does_the_rest(
    ours: Store, theirs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [save(theirs, spec_of(seed=seed), even(80, 60)) for seed in range(3)]
    copy, copied = shutil.copytree, []

    def die_in_the_second(source: Path, target: Path, **options: object) -> None:
        copied.append(copy(source, target, ignore=merge_store.NOT_COPIED))
        if len(copied) == 2:
            (target / "record.json").unlink()
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copytree", die_in_the_second)
    monkeypatch.setattr(merge_store, "_clear", lambda _: None)
    with pytest.raises((KeyboardInterrupt, OSError)):
        merge(theirs.root, ours)
    assert [ours.run(run_id).read_state() for run_id in ours.list_ids()] == [RunState.DONE]
    monkeypatch.undo()
    assert list_fates(merge(theirs.root, ours)).count(Fate.NEW) == 2
    assert ours.list_ids() == sorted(ids) and not (ours.root / ".merge").exists()


def test_a_merge_that_is_killed_between_two_renames_is_completed(
    ours: Store, theirs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = save(ours, spec_of(), Failure(kind="OSError", message="disk"))
    save(theirs, spec_of(), even(80, 60))
    rename, renamed = os.rename, []

    def die_at_the_second(source: Path, target: Path) -> None:
        renamed.append(source)
        if len(renamed) == 2:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        merge(theirs.root, ours)
    monkeypatch.undo()
    assert ours.run(run_id).read_state() is RunState.MISSING
    assert list_fates(merge(theirs.root, ours)) == [Fate.NEW]
    assert ours.run(run_id).read_state() is RunState.DONE


def test_a_store_is_not_merged_into_itself_and_a_folder_without_runs_is_refused(ours: Store, tmp_path: Path) -> None:
    save(ours, spec_of(), even(80, 60))
    with pytest.raises(ValueError, match="is the store itself"):
        merge(ours.root, ours)
    (tmp_path / "project").mkdir()
    ours.root.rename(tmp_path / "project" / "runs")
    with pytest.raises(ValueError, match=r"holds no runs: did you mean .*project/runs\?"):
        merge(tmp_path / "project", Store(tmp_path / "other"))
    with pytest.raises(FileNotFoundError, match="no folder or archive"):
        merge(tmp_path / "nowhere", ours)


def test_a_merge_deletes_nothing_behind_a_link(ours: Store, theirs: Store, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    save(theirs, spec_of(), even(80, 60))
    ours.root.mkdir(exist_ok=True)
    (ours.root / ".merge").symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match="is a link"):
        merge(theirs.root, ours)
    assert (tmp_path / "mine" / "letter.txt").exists()
