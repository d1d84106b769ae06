"""`logs --follow`: every line once, through all attempts, until the run ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmark.cli import follow
from benchmark.cli.follow import LogFollower
from benchmark.core.run_record import Failure
from benchmark.store.store import Store
from benchmark.utils.lock import hold_lock
from tests.cli.shell import run_command
from tests.report.world import even, save, spec_of

SPEC = spec_of()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the store that every command of the test uses."""
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path))
    return Store(tmp_path)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Return what happens while the follower waits: one event per wait; without events left it is interrupted."""
    waiting: list[Callable[[], object]] = []

    def sleep(_: float) -> None:
        if not waiting:
            raise KeyboardInterrupt
        waiting.pop(0)()

    monkeypatch.setattr("benchmark.cli.follow.time.sleep", sleep)
    return waiting


def begin(store: Store, text: str) -> None:
    number = store.run(SPEC.id).begin_attempt(SPEC).number
    write(store, number, text)


def write(store: Store, number: int, text: str) -> None:
    with (store.run(SPEC.id).path / "attempts" / f"{number:02d}" / "log.txt").open("a") as log:
        log.write(text)


def finish(store: Store, number: int, text: str) -> None:
    write(store, number, text)
    save(store, SPEC, even(80, 60), attempts=number)


def test_lines_of_all_attempts_are_printed_once(
    store: Store, events: list[Callable[[], object]], capsys: pytest.CaptureFixture[str]
) -> None:
    begin(store, "one\ntwo\n")
    events += [
        lambda: write(store, 1, "thr"),
        lambda: write(store, 1, "ee\n"),
        lambda: begin(store, "four\n"),
        lambda: finish(store, 2, "five\n"),
    ]
    code, out, err = run_command(capsys, "logs", "demo", "-f", "-n", "1")
    assert (code, out) == (0, "two\nthree\nfour\nfive\n")
    assert err == f"attempt 2\n{SPEC.id}: done\n"


def test_a_run_that_ended_is_printed_whole_with_the_exit_code_of_its_state(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(store, "one\n")
    save(store, SPEC, Failure(kind="ValueError", message="no"))
    code, out, err = run_command(capsys, "logs", "demo", "-f")
    assert (code, out, err) == (3, "one\n", f"{SPEC.id}: failed\n")


def test_an_interrupt_ends_the_command_without_a_message(
    store: Store, events: list[Callable[[], object]], capsys: pytest.CaptureFixture[str]
) -> None:
    begin(store, "one\n")
    assert run_command(capsys, "logs", "demo", "-f") == (130, "one\n", "")


@pytest.mark.parametrize("is_queued", [True, False])
def test_a_run_without_a_process_has_ended_unless_it_is_queued(
    store: Store, events: list[Callable[[], object]], monkeypatch: pytest.MonkeyPatch, is_queued: bool
) -> None:
    monkeypatch.setattr(follow, "QUIET_S", 0.0)
    begin(store, "one\n")
    events += [lambda: None] * 3
    notes: list[str] = []
    text: list[str] = []
    try:
        text.extend(LogFollower(store.run(SPEC.id), notify=notes.append, is_queued=lambda: is_queued).follow())
    except KeyboardInterrupt:
        assert is_queued
    assert notes == ([] if is_queued else [f"{SPEC.id}: interrupted, no process works on it"])


def test_a_failed_run_that_is_run_again_is_followed(store: Store, events: list[Callable[[], object]]) -> None:
    begin(store, "one\n")
    save(store, SPEC, Failure(kind="ValueError", message="no"))
    lock = ExitStack()
    lock.enter_context(hold_lock(store.run(SPEC.id).path))
    events += [lambda: begin(store, "two\n"), lambda: finish(store, 2, "three\n"), lock.close]
    follower = LogFollower(store.run(SPEC.id), notify=lambda _: None, is_queued=lambda: False)
    assert "".join(follower.follow()) == "one\ntwo\nthree\n"


def test_a_run_that_was_not_started_is_waited_for(store: Store, events: list[Callable[[], object]]) -> None:
    store.run(SPEC.id).write_spec(SPEC)
    events += [lambda: begin(store, "one\n"), lambda: finish(store, 1, "two\n")]
    notes: list[str] = []
    text = "".join(LogFollower(store.run(SPEC.id), notify=notes.append, is_queued=lambda: True).follow())
    assert text == "one\ntwo\n" and "was not started yet" in notes[0]
