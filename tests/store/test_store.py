"""The store: what is written is whole, what is broken is said, and nothing hides anything else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.store.attempts import Superseded
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of

SPEC = spec_of()
FAILURE = Failure(kind="ValueError", message="no")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def _fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)


def test_reading_an_absent_store_makes_nothing(store: Store) -> None:
    assert (store.ids(), store.records(), store.plan_names(), store.state("x")) == ([], ([], []), [], "missing")
    assert not store.root.exists()


def test_a_result_is_read_back_as_it_was_saved(store: Store) -> None:
    run_id = save(store, SPEC, even(80, 60))
    assert store.state(run_id) == "done"
    assert store.record(run_id).spec == SPEC
    assert store.counts(run_id) == even(80, 60)


def test_a_record_is_written_once(store: Store) -> None:
    save(store, SPEC, even(80, 60))
    with pytest.raises(FileExistsError, match="never edited"):
        save(store, SPEC, even(90, 60))


def test_a_record_of_other_counts_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="not of these counts"):
        save(store, SPEC, even(80, 60), counts_digest="0")
    assert store.state(SPEC.id) == "missing"


def test_counts_that_were_exchanged_are_noticed(store: Store) -> None:
    run_id = save(store, SPEC, even(80, 60))
    even(81, 60).save(store.folder(run_id) / "counts.npz")
    with pytest.raises(ValueError, match="does not hold the counts"):
        store.counts(run_id)


def test_a_truncated_record_is_listed_and_hides_no_other(store: Store) -> None:
    good, bad = save(store, SPEC, even(80, 60)), save(store, spec_of(seed=1), even(80, 60))
    path = store.folder(bad) / "record.json"
    path.write_bytes(path.read_bytes()[:100])
    records, broken = store.records()
    assert [record.spec.id for record in records] == [good]
    assert [one.path for one in broken] == [path]
    assert "\n" not in broken[0].reason and str(path) in broken[0].reason
    assert store.state(bad) == "broken"


def test_a_record_in_the_folder_of_another_run_is_broken(store: Store) -> None:
    one, other = save(store, SPEC, even(80, 60)), save(store, spec_of(seed=1), even(80, 60))
    (store.folder(other) / "record.json").write_bytes((store.folder(one) / "record.json").read_bytes())
    assert "of another run" in store.records()[1][0].reason


@pytest.mark.parametrize("name", ["record.json", "counts.npz"])
def test_a_full_disk_leaves_no_half_result(store: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == "record.json":
        monkeypatch.setattr(type(even(1, 1)), "save", lambda _, path: path.touch())
    monkeypatch.setattr("benchmark.utils.atomic_files._flush", lambda path: _full(path, name))
    with pytest.raises(OSError, match=f"cannot write .*{name}: No space left"):
        save(store, SPEC, even(80, 60))
    assert not (store.folder(SPEC.id) / name).exists()
    assert not list(store.root.rglob(".draft*"))


def _full(path: Path, name: str) -> None:
    if name in path.name:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_old_content_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.heartbeat(SPEC.id, {"stage": "train", "done": 1, "total": 5})
    _fill_disk(monkeypatch)
    with pytest.raises(OSError, match="its old content is intact"):
        store.heartbeat(SPEC.id, {"stage": "train", "done": 2, "total": 5})
    heartbeat = store.last_heartbeat(SPEC.id)
    assert heartbeat is not None and heartbeat["done"] == 1


def test_a_failure_that_is_tried_again_moves_into_its_attempt(store: Store) -> None:
    store.begin_attempt(SPEC)
    save(store, SPEC, FAILURE)
    again = store.begin_attempt(SPEC)
    assert again.number == 2
    assert store.state(SPEC.id) == "interrupted"
    assert (store.folder(SPEC.id) / "attempts" / "01" / "record.json").is_file()
    save(store, SPEC, even(80, 60), attempts=2)
    assert store.state(SPEC.id) == "done"


def test_a_done_run_gets_no_other_attempt(store: Store) -> None:
    save(store, SPEC, even(80, 60))
    with pytest.raises(FileExistsError, match="already done"):
        store.begin_attempt(SPEC)


@pytest.mark.parametrize(("code", "is_kept"), [("a", True), ("b", False)])
def test_a_checkpoint_made_by_other_code_is_put_aside(store: Store, code: str, is_kept: bool) -> None:
    store.begin_attempt(SPEC, code="a")
    store.checkpoint(SPEC.id).write_bytes(b"weights")
    store.begin_attempt(SPEC, code=code)
    assert store.checkpoint(SPEC.id).exists() == is_kept
    assert (store.folder(SPEC.id) / "attempts" / "01" / "checkpoint.pt").exists() != is_kept


def test_an_attempt_that_has_been_overtaken_writes_nothing(store: Store) -> None:
    store.begin_attempt(SPEC)
    store.begin_attempt(SPEC)
    with pytest.raises(Superseded, match=r"attempt 1 of .* 2 has begun"):
        save(store, SPEC, even(80, 60), attempts=1)
    with pytest.raises(Superseded):
        store.check_latest(SPEC.id, 1)
    assert store.state(SPEC.id) == "interrupted"
    save(store, SPEC, even(80, 60), attempts=2)


def test_an_attempt_without_a_code_does_not_hide_that_the_code_changed(store: Store) -> None:
    store.begin_attempt(SPEC, code="a")
    store.begin_attempt(SPEC)
    store.checkpoint(SPEC.id).write_bytes(b"weights")
    store.begin_attempt(SPEC, code="b")
    assert not store.checkpoint(SPEC.id).exists()


def test_a_log_opened_early_belongs_to_the_coming_attempt(store: Store) -> None:
    folder = store.upcoming(SPEC.id)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("early")
    assert store.begin_attempt(SPEC).number == int(folder.name)
    assert store.log(SPEC.id).read_text() == "early"


def test_a_missing_log_is_answered_with_those_there_are(store: Store) -> None:
    store.upcoming(SPEC.id).mkdir(parents=True)
    (store.upcoming(SPEC.id) / "log.txt").touch()
    with pytest.raises(KeyError, match=r"attempt 3 .* logs of: \[1\]"):
        store.log(SPEC.id, 3)


def test_losses_after_a_resume_supersede_those_before_it(store: Store) -> None:
    for iteration, loss in [(0, 9.0), (1, 8.0), (2, 7.0), (1, 6.0), (2, 5.0)]:
        store.log_losses(SPEC.id, iteration, {"loss": loss})
    assert [(entry["iteration"], entry["losses"]["loss"]) for entry in store.history(SPEC.id)] == [
        (0, 9.0),
        (1, 6.0),
        (2, 5.0),
    ]


def test_a_line_cut_short_costs_only_itself(store: Store) -> None:
    store.log_losses(SPEC.id, 0, {"loss": float("nan")})
    with (store.folder(SPEC.id) / "history.jsonl").open("a") as file:
        file.write('{"iteration": 1, "los')
    store.log_losses(SPEC.id, 2, {"loss": 1.0})
    assert [entry["iteration"] for entry in store.history(SPEC.id)] == [0, 2]


def test_a_heartbeat_remembers_since_when_its_stage_runs(store: Store) -> None:
    for done in (3, 4, 5):
        store.heartbeat(SPEC.id, {"stage": "train", "done": done, "total": 9})
    heartbeat = store.last_heartbeat(SPEC.id)
    assert heartbeat is not None and heartbeat["since_done"] == 3
    store.heartbeat(SPEC.id, {"stage": "evaluate", "done": 1, "total": 9})
    heartbeat = store.last_heartbeat(SPEC.id)
    assert heartbeat is not None and heartbeat["since_done"] == 1


def test_a_run_is_found_by_any_part_that_fits_it_alone(store: Store) -> None:
    one, other = save(store, SPEC, even(80, 60)), save(store, spec_of(seed=1), even(80, 60))
    assert store.find(one) == one
    assert store.find("toybox-s1") == other
    assert store.find(other[-8:].upper()) == other
    with pytest.raises(KeyError, match="fits 2 runs"):
        store.find("demo-paper")
    with pytest.raises(KeyError, match="no run 'zzz'"):
        store.find("zzz")


def test_another_spec_in_a_run_folder_is_refused(store: Store) -> None:
    path = store.write_spec(SPEC)
    path.write_text(path.read_text().replace('"demo"', '"other"'))
    with pytest.raises(ValueError, match="another spec"):
        store.write_spec(SPEC)


def test_a_plan_is_read_back_and_an_unknown_one_names_the_nearest(store: Store) -> None:
    plan = plan_of({"paper": {0: SPEC.id}}).model_copy(update={"study": "mine"})
    store.write_plan(plan)
    assert store.plan("mine") == plan
    with pytest.raises(KeyError, match="did you mean 'mine'"):
        store.plan("mines")
    with pytest.raises(KeyError, match="begin with: chimera-bench run ablations"):
        store.plan("ablations")
