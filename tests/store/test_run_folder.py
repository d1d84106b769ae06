"""Files of one run: written files are complete, broken ones are reported, superseded attempts write nothing."""

from __future__ import annotations

import errno
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store import progress
from benchmark.store.attempts import SupersededError
from benchmark.store.progress import measure_silence_s
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.atomic_files import UnreadableError
from benchmark.utils.drafts import make_draft_path
from tests.report.world import even, save, spec_of

SPEC = spec_of()
FAILURE = Failure(kind="ValueError", message="no")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def run(store: Store) -> RunFolder:
    return store.run(SPEC.id)


def _raise_full_disk(_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_result_is_read_back_as_it_was_saved(store: Store, run: RunFolder) -> None:
    save(store, SPEC, even(80, 60))
    snapshot = run.read_snapshot()
    assert snapshot.state is RunState.DONE and snapshot.record is not None and snapshot.record.spec == SPEC
    assert run.read_record() == snapshot.record
    assert run.read_counts() == run.read_counts(snapshot.record) == even(80, 60)


def test_a_record_is_written_once(store: Store) -> None:
    save(store, SPEC, even(80, 60))
    with pytest.raises(FileExistsError, match="never edited"):
        save(store, SPEC, even(90, 60))


def test_a_record_of_other_counts_is_refused(store: Store, run: RunFolder) -> None:
    with pytest.raises(ValueError, match="not of these counts"):
        save(store, SPEC, even(80, 60), counts_digest="0")
    assert run.read_state() is RunState.MISSING


def test_a_record_of_another_run_is_refused(store: Store, run: RunFolder) -> None:
    save(store, spec_of(seed=1), even(80, 60))
    record = store.run(spec_of(seed=1).id).read_record()
    with pytest.raises(ValueError, match="does not belong"):
        run.save_result(record, even(80, 60))


def test_exchanged_counts_are_noticed(store: Store, run: RunFolder) -> None:
    save(store, SPEC, even(80, 60))
    even(81, 60).save(run.counts_path)
    with pytest.raises(ValueError, match="does not hold the counts"):
        run.read_counts()


def test_a_truncated_record_is_broken_and_says_so_in_one_line(store: Store, run: RunFolder) -> None:
    save(store, SPEC, even(80, 60))
    run.record_path.write_bytes(run.record_path.read_bytes()[:100])
    snapshot = run.read_snapshot()
    assert (snapshot.state, snapshot.record) == (RunState.BROKEN, None)
    assert "\n" not in snapshot.problem and str(run.record_path) in snapshot.problem


def test_a_record_in_the_folder_of_another_run_is_broken(store: Store, run: RunFolder) -> None:
    save(store, SPEC, even(80, 60))
    other = store.run(save(store, spec_of(seed=1), even(80, 60)))
    other.record_path.write_bytes(run.record_path.read_bytes())
    assert "of another run" in other.read_snapshot().problem


@pytest.mark.parametrize("name", ["record.json", "counts.npz"])
def test_a_full_disk_leaves_no_half_result(
    store: Store, run: RunFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "record.json":
        monkeypatch.setattr(type(even(1, 1)), "save", lambda _, path: path.touch())

    def flush(path: Path) -> None:
        if name in path.name:
            _raise_full_disk(path)

    monkeypatch.setattr("benchmark.utils.atomic_files._flush", flush)
    with pytest.raises(OSError, match=f"cannot write .*{name}: No space left"):
        save(store, SPEC, even(80, 60))
    assert not (run.path / name).exists()
    assert not list(store.root.rglob(".draft*"))


def test_a_full_disk_leaves_old_content_intact(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    run.write_heartbeat({"stage": "train", "done": 1, "total": 5})
    monkeypatch.setattr(os, "fsync", _raise_full_disk)
    with pytest.raises(OSError, match="its old content is intact"):
        run.write_heartbeat({"stage": "train", "done": 2, "total": 5})
    heartbeat = run.read_heartbeat()
    assert heartbeat is not None and heartbeat["done"] == 1


def test_a_failure_that_is_retried_moves_into_its_attempt(store: Store, run: RunFolder) -> None:
    run.begin_attempt(SPEC)
    save(store, SPEC, FAILURE)
    second = run.begin_attempt(SPEC)
    assert second.number == 2
    assert run.read_state() is RunState.INTERRUPTED
    assert (run.path / "attempts" / "01" / "record.json").is_file()
    save(store, SPEC, even(80, 60), attempts=2)
    assert run.read_state() is RunState.DONE


def test_a_done_run_gets_no_other_attempt(store: Store, run: RunFolder) -> None:
    save(store, SPEC, even(80, 60))
    with pytest.raises(FileExistsError, match="already done"):
        run.begin_attempt(SPEC)


@pytest.mark.parametrize(("code", "is_kept"), [("a", True), ("b", False)])
def test_a_checkpoint_from_another_code_version_is_set_aside(run: RunFolder, code: str, is_kept: bool) -> None:
    run.begin_attempt(SPEC, code="a")
    run.checkpoint_path.write_bytes(b"weights")
    run.begin_attempt(SPEC, code=code)
    assert run.checkpoint_path.exists() == is_kept
    assert (run.path / "attempts" / "01" / "checkpoint.pt").exists() != is_kept


def test_a_superseded_attempt_writes_nothing(store: Store, run: RunFolder) -> None:
    run.begin_attempt(SPEC)
    run.begin_attempt(SPEC)
    with pytest.raises(SupersededError, match=r"attempt 1 of .* 2 has begun"):
        save(store, SPEC, even(80, 60), attempts=1)
    with pytest.raises(SupersededError):
        run.check_latest(1)
    assert run.read_state() is RunState.INTERRUPTED
    save(store, SPEC, even(80, 60), attempts=2)


def test_an_attempt_without_a_code_digest_does_not_hide_that_the_code_changed(run: RunFolder) -> None:
    run.begin_attempt(SPEC, code="a")
    run.begin_attempt(SPEC)
    run.checkpoint_path.write_bytes(b"weights")
    run.begin_attempt(SPEC, code="b")
    assert not run.checkpoint_path.exists()


def test_a_log_opened_early_belongs_to_the_next_attempt(run: RunFolder) -> None:
    folder = run.next_attempt_path
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("early")
    assert run.begin_attempt(SPEC).number == int(folder.name)
    assert run.find_log().read_text() == run.read_log_tail() == "early"


def test_a_missing_log_is_answered_with_the_existing_ones(run: RunFolder) -> None:
    run.next_attempt_path.mkdir(parents=True)
    (run.next_attempt_path / "log.txt").touch()
    with pytest.raises(KeyError, match=r"attempt 3 .* logs of: \[1\]"):
        run.find_log(3)


def test_losses_after_a_resume_supersede_those_before_it(run: RunFolder) -> None:
    for iteration, loss in [(0, 9.0), (1, 8.0), (2, 7.0), (1, 6.0), (2, 5.0)]:
        run.append_losses(iteration, {"loss": loss})
    losses = [(entry["iteration"], entry["losses"]["loss"]) for entry in run.read_losses()]
    assert losses == [(0, 9.0), (1, 6.0), (2, 5.0)]


def test_a_truncated_line_of_losses_costs_only_itself(run: RunFolder) -> None:
    run.append_losses(0, {"loss": float("nan")})
    with run.history_path.open("a") as file:
        file.write('{"iteration": 1, "los')
    run.append_losses(2, {"loss": 1.0})
    assert [entry["iteration"] for entry in run.read_losses()] == [0, 2]


def test_a_heartbeat_keeps_the_start_of_its_stage(run: RunFolder) -> None:
    for done in (3, 4, 5):
        run.write_heartbeat({"stage": "train", "done": done, "total": 9})
    heartbeat = run.read_heartbeat()
    assert heartbeat is not None and heartbeat["since_done"] == 3
    run.write_heartbeat({"stage": "evaluate", "done": 1, "total": 9})
    heartbeat = run.read_heartbeat()
    assert heartbeat is not None and heartbeat["since_done"] == 1


def test_another_spec_in_a_run_folder_is_refused(run: RunFolder) -> None:
    path = run.write_spec(SPEC)
    path.write_text(path.read_text().replace('"demo"', '"other"'))
    with pytest.raises(ValueError, match="another spec"):
        run.write_spec(SPEC)


def test_files_of_an_older_version_are_refused_in_one_line(store: Store, run: RunFolder) -> None:
    save(store, SPEC, even(80, 60))
    fields = json.loads(run.record_path.read_text())
    fields["format"] = fields["spec"]["format"] = 2
    fields["spec"]["limit"] = fields["spec"].pop("max_images")
    run.record_path.write_text(json.dumps(fields))
    problem = run.read_snapshot().problem
    assert problem == f"{run.record_path} was written by an older version of chimera-bench; run it again"


def test_a_file_of_a_newer_version_asks_for_an_update(store: Store, run: RunFolder) -> None:
    save(store, SPEC, even(80, 60))
    run.record_path.write_text(json.dumps(json.loads(run.record_path.read_text()) | {"format": 99}))
    problem = "was written by a newer version of chimera-bench (format 99, not 3): update this one"
    assert run.read_snapshot().problem == f"{run.record_path} {problem}"


@pytest.mark.parametrize(("number", "found"), [(None, "it has no format number, "), ("3", "its format is '3', ")])
def test_a_file_that_no_version_wrote_is_broken(run: RunFolder, number: object, found: str) -> None:
    path = run.write_spec(SPEC)
    path.write_text(json.dumps({"a": 1, "format": number} if number else {"a": 1}))
    with pytest.raises(ValueError, match=re.escape(f"is broken ({found}")) as caught:
        run.read_spec()
    assert str(caught.value).endswith("restore it, or move it away")


def test_drafts_of_dead_processes_are_swept_when_an_attempt_begins(run: RunFolder) -> None:
    run.begin_attempt(SPEC)
    live, dead = make_draft_path(run.checkpoint_path), make_draft_path(run.checkpoint_path)
    host, _, born, digits, name = dead.name.removeprefix(".draft-").split("-")
    dead = dead.with_name(f".draft-{host}-{2**22 + 1}-{born}-{digits}-{name}")
    for draft in (live, dead):
        draft.touch()
    run.begin_attempt(SPEC)
    assert (live.exists(), dead.exists()) == (True, False)


def test_an_empty_record_or_attempt_of_a_process_that_died_making_it_is_none(run: RunFolder) -> None:
    run.begin_attempt(SPEC)
    run.record_path.touch()
    (run.path / "attempts" / "02").mkdir()
    (run.path / "attempts" / "02" / "attempt.json").touch()
    assert run.read_state() is RunState.INTERRUPTED
    assert [attempt.number for attempt in run.read_attempts()] == [1]


def test_a_folder_that_cannot_be_read_is_broken(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(run.path))

    run.begin_attempt(SPEC)
    monkeypatch.setattr(os, "listdir", refuse)
    snapshot = run.read_snapshot()
    assert snapshot.state is RunState.BROKEN
    assert snapshot.problem == f"{run.path} cannot be read (Permission denied): ask its owner to make it readable"


@pytest.mark.parametrize(
    ("beat", "silent_s"),
    [
        ({"time": 0.0, "since": -900.0, "done": 90, "since_done": 0}, 601.0),  # 10 s a step: 500 s are expected
        ({"time": 0.0, "since": -900.0, "done": 10, "since_done": 0}, None),  # 90 s a step: 4500 s are expected
        ({"time": 0.0, "since": 0.0, "done": 0, "since_done": 0}, 601.0),
        ({"time": 2.0, "since": 0.0, "done": 0, "since_done": 0}, None),
        ({}, None),
    ],
)
def test_a_run_is_silent_after_ten_minutes_and_fifty_steps(
    monkeypatch: pytest.MonkeyPatch, beat: dict[str, float], silent_s: float | None
) -> None:
    class Clock:
        @staticmethod
        def now(_: object) -> datetime:
            return datetime.fromtimestamp(601.0, UTC)

    monkeypatch.setattr(progress, "datetime", Clock)
    assert measure_silence_s(beat) == silent_s


def test_a_run_whose_log_is_open_and_whose_process_starts_is_not_interrupted(run: RunFolder) -> None:
    folder = run.next_attempt_path
    folder.mkdir(parents=True)
    (folder / "log.txt").touch()
    assert run.read_state() is RunState.MISSING
    run.begin_attempt(SPEC)
    assert run.read_state() is RunState.INTERRUPTED


def _make_unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()  # a folder cannot be opened as a file, not even by the superuser


@pytest.mark.parametrize("name", ["record.json", "counts.npz"])
def test_a_run_with_a_file_that_cannot_be_read_is_broken_and_not_begun_again(
    store: Store, run: RunFolder, name: str
) -> None:
    save(store, SPEC, even(80, 60))
    _make_unreadable(run.path / name)
    snapshot = run.read_snapshot()
    assert snapshot.state is RunState.BROKEN and snapshot.is_unreadable
    with pytest.raises(UnreadableError, match=f"{name} cannot be read"):
        run.begin_attempt(SPEC)
    assert run.record_path.exists() and run.counts_path.exists()


def test_the_files_of_a_broken_run_are_kept_when_it_is_begun_again(store: Store, run: RunFolder) -> None:
    save(store, SPEC, even(80, 60))
    counts = run.counts_path.read_bytes()
    run.record_path.write_text("{")
    run.begin_attempt(SPEC)
    (kept,) = run.path.glob("attempts/*/counts.npz")
    assert kept.read_bytes() == counts and kept.with_name("record.json").read_text() == "{"


def test_a_result_without_its_counts_is_broken(store: Store, run: RunFolder) -> None:
    save(store, SPEC, even(80, 60))
    run.counts_path.unlink()
    snapshot = run.read_snapshot()
    assert (snapshot.state, snapshot.is_unreadable) == (RunState.BROKEN, False)
    assert snapshot.problem.endswith("counts.npz is missing: copy it again from the machine that ran it")
