"""The pool of processes: bounded, and no run takes another with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution import local_pool, worker
from benchmark.execution.local_pool import Lives, Snapshot, run_all
from benchmark.execution.worker_process import Resources, end_processes
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.lock import holding
from tests.report.world import environment, even, save, spec_of

DIE = "import os, signal; print('last words', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
SPECS = [spec_of(seed=seed) for seed in range(4)]

Fake = Callable[[str], None]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Lets processes run the given code, with their output in the log, instead of the real worker."""

    def use(code: str) -> None:
        def start(spec: RunSpec, *, store: Store, each: Resources, device: str) -> subprocess.Popen[bytes]:
            store.run(spec.id).write_spec(spec)
            log = store.run(spec.id).next_attempt_path / "log.txt"
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as file:
                return subprocess.Popen([sys.executable, "-c", code, device], stdout=file)

        monkeypatch.setattr(local_pool, "start_worker", start)
        monkeypatch.setattr("benchmark.store.environment.describe_environment", environment)

    return use


def test_a_killed_process_leaves_a_failure_with_signal_and_log(store: Store, fake: Fake) -> None:
    fake(DIE)
    outcomes = run_all(SPECS[:1], store=store, jobs=1)
    failure = store.run(SPECS[0].id).read_record().failure
    assert outcomes[SPECS[0].id].state == store.run(SPECS[0].id).read_state() == RunState.FAILED
    assert failure is not None and failure.kind == "SIGKILL"
    assert "signal 9" in failure.message and failure.log_tail == "last words"


def test_a_process_that_dies_takes_no_other_run_with_it(store: Store, fake: Fake) -> None:
    fake(DIE)
    assert [outcome.state for outcome in run_all(SPECS, store=store, jobs=2).values()] == [RunState.FAILED] * 4


def test_a_process_that_ends_without_a_record_has_failed(store: Store, fake: Fake) -> None:
    fake("raise SystemExit(5)")
    assert "exit code 5" in run_all(SPECS[:1], store=store, jobs=1)[SPECS[0].id].message


def test_a_death_in_a_second_attempt_does_not_pass_for_the_first_failure(store: Store, fake: Fake) -> None:
    fake(DIE)
    store.run(SPECS[0].id).begin_attempt(SPECS[0])
    save(store, SPECS[0], Failure(kind="ValueError", message="the first reason"))
    run_all(SPECS[:1], store=store, jobs=1)
    record = store.run(SPECS[0].id).read_record()
    assert record.attempts == 2
    assert record.failure is not None and record.failure.kind == "SIGKILL"


def test_with_lives_a_process_that_dies_is_started_again(
    store: Store, fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local_pool, "RESTART_PAUSE_S", 0.0)
    mark = tmp_path / "begun"
    fake(f"import os, pathlib; p = pathlib.Path({str(mark)!r}); p.exists() or (p.touch(), os.kill(os.getpid(), 9))")
    outcome = run_all(SPECS[:1], store=store, jobs=1, lives=Lives(2))[SPECS[0].id]
    assert mark.exists() and "exit code 0" in outcome.message


def test_attempts_without_progress_use_up_the_lives(store: Store, fake: Fake) -> None:
    fake("raise AssertionError")
    for _ in range(3):
        store.run(SPECS[0].id).begin_attempt(SPECS[0])
    outcome = run_all(SPECS[:1], store=store, lives=Lives(3))[SPECS[0].id]
    failure = store.run(SPECS[0].id).read_record().failure
    assert outcome.state == RunState.FAILED and len(store.run(SPECS[0].id).read_attempts()) == 3
    assert failure is not None and failure.kind == "no progress" and "3 attempts" in failure.message


def test_progress_and_attempts_before_the_job_do_not_use_up_lives(store: Store, fake: Fake) -> None:
    fake("raise SystemExit(1)")
    for _ in range(3):
        store.run(SPECS[0].id).begin_attempt(SPECS[0])
    assert store.run(SPECS[0].id).count_stalls() == 3 and store.run(SPECS[0].id).count_stalls(after=2) == 1
    store.run(SPECS[0].id).checkpoint_path.write_bytes(b"further")
    assert store.run(SPECS[0].id).count_stalls() == 0


def test_a_process_that_is_told_to_end_leaves_a_run_that_can_go_on(store: Store, fake: Fake) -> None:
    fake(f"raise SystemExit({ExitCode.INTERRUPTED})")
    assert run_all(SPECS[:1], store=store)[SPECS[0].id].state == RunState.INTERRUPTED
    assert not store.run(SPECS[0].id).record_path.exists()


def test_a_kill_for_want_of_memory_is_a_failure_at_once(
    store: Store, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = iter(range(9))
    monkeypatch.setattr(local_pool, "memory_kills", lambda: next(kills))
    fake(DIE)
    run_all(SPECS[:1], store=store, lives=Lives(3))
    failure = store.run(SPECS[0].id).read_record().failure
    assert failure is not None and failure.kind == "OUT_OF_MEMORY" and len(store.run(SPECS[0].id).read_attempts()) == 1


def test_there_are_never_more_processes_than_jobs(store: Store, fake: Fake) -> None:
    fake("raise SystemExit(1)")
    seen: list[Snapshot] = []
    run_all(SPECS, store=store, jobs=2, observe=seen.append)
    assert max(len(snapshot.running) for snapshot in seen) == 2
    assert len(seen[-1].outcomes) == 4


def test_devices_are_shared_out_evenly(store: Store, fake: Fake) -> None:
    fake("import sys, time; print(sys.argv[1], flush=True); time.sleep(1)")
    run_all(SPECS, store=store, jobs=4, each=Resources(devices=("4", "6")))
    assert sorted(store.run(spec.id).find_log().read_text() for spec in SPECS) == ["4\n", "4\n", "6\n", "6\n"]


def test_done_runs_and_runs_of_others_are_left_alone(store: Store, fake: Fake) -> None:
    fake("raise AssertionError")
    save(store, SPECS[0], even(80, 60))
    with holding(store.run(SPECS[1].id).path):
        outcomes = run_all(SPECS[:2], store=store, jobs=2)
    assert [outcome.state for outcome in outcomes.values()] == [RunState.DONE, RunState.RUNNING]


def test_an_interrupt_ends_own_processes_and_leaves_no_failure(
    store: Store, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("import time; time.sleep(60)")
    ended: list[subprocess.Popen[bytes]] = []
    end = end_processes

    def end_and_keep(processes: list[subprocess.Popen[bytes]], *, grace_s: float) -> None:
        ended.extend(processes)
        end(processes, grace_s=grace_s)

    monkeypatch.setattr(local_pool, "end_processes", end_and_keep)
    with pytest.raises(KeyboardInterrupt):
        run_all(SPECS, store=store, jobs=2, observe=_interrupt)
    assert len(ended) == 2 and all(process.poll() is not None for process in ended)
    assert store.run(SPECS[0].id).read_state() == RunState.INTERRUPTED


def _interrupt(_snapshot: Snapshot) -> None:
    raise KeyboardInterrupt


def test_a_process_that_does_not_listen_is_killed() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"deaf\n"
    end_processes([process], grace_s=0.2)
    process.stdout.close()
    assert process.returncode == -9


def test_a_worker_leaves_a_locked_run_alone(store: Store) -> None:
    path = store.run(SPECS[0].id).write_spec(SPECS[0])
    with holding(store.run(SPECS[0].id).path):
        assert worker.main([str(path), "--store", str(store.root)]) == ExitCode.BUSY
    assert store.run(SPECS[0].id).read_attempts() == []


def test_a_worker_says_which_spec_file_is_broken(store: Store) -> None:
    path = store.run(SPECS[0].id).write_spec(SPECS[0])
    path.write_text(path.read_text()[:40])
    with pytest.raises(ValueError, match=r"spec\.json is broken"):
        worker.main([str(path), "--store", str(store.root)])
