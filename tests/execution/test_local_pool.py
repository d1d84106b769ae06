"""The pool of worker processes: bounded, and no run affects another."""

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
from benchmark.execution.local_pool import PoolSnapshot, RetryPolicy, run_all
from benchmark.execution.worker_process import WorkerResources, end_processes
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.lock import hold_lock
from tests.core.machines import make_environment
from tests.report.world import even, save, spec_of

DIE = "import os, signal; print('last words', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
SPECS = [spec_of(seed=seed) for seed in range(4)]

RunCode = Callable[[str], None]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def run(store: Store) -> RunFolder:
    """Return the folder of the first run."""
    return store.run(SPECS[0].id)


@pytest.fixture
def run_code(monkeypatch: pytest.MonkeyPatch) -> RunCode:
    """Return a function that makes the pool run some code instead of the worker, with its output in the log."""

    def use_code(code: str) -> None:
        def start(spec: RunSpec, *, store: Store, resources: WorkerResources, device: str) -> subprocess.Popen[bytes]:
            store.run(spec.id).write_spec(spec)
            log = store.run(spec.id).next_attempt_path / "log.txt"
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as file:
                return subprocess.Popen([sys.executable, "-c", code, device], stdout=file)

        monkeypatch.setattr(local_pool, "start_worker", start)
        monkeypatch.setattr("benchmark.store.environment.describe_environment", make_environment)

    return use_code


def test_a_killed_process_leaves_a_failure_with_signal_and_log(store: Store, run: RunFolder, run_code: RunCode) -> None:
    run_code(DIE)
    outcomes = run_all(SPECS[:1], store=store, jobs=1)
    failure = run.read_record().failure
    assert outcomes[SPECS[0].id].state == run.read_state() == RunState.FAILED
    assert failure is not None and failure.kind == "SIGKILL"
    assert "signal 9" in failure.message and failure.log_tail == "last words"


def test_a_process_that_dies_affects_no_other_run(store: Store, run_code: RunCode) -> None:
    run_code(DIE)
    assert [outcome.state for outcome in run_all(SPECS, store=store, jobs=2).values()] == [RunState.FAILED] * 4


def test_a_process_that_ends_without_a_record_has_failed(store: Store, run_code: RunCode) -> None:
    run_code("raise SystemExit(5)")
    assert "exit code 5" in run_all(SPECS[:1], store=store, jobs=1)[SPECS[0].id].message


def test_a_death_in_a_second_attempt_is_not_recorded_as_the_first_failure(
    store: Store, run: RunFolder, run_code: RunCode
) -> None:
    run_code(DIE)
    run.begin_attempt(SPECS[0])
    save(store, SPECS[0], Failure(kind="ValueError", message="the first reason"))
    run_all(SPECS[:1], store=store, jobs=1)
    record = run.read_record()
    assert record.attempts == 2
    assert record.failure is not None and record.failure.kind == "SIGKILL"


def test_with_a_retry_policy_a_process_that_dies_is_started_again(
    store: Store, run_code: RunCode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local_pool, "RESTART_PAUSE_S", 0.0)
    marker = tmp_path / "started"
    run_code(
        f"import os, pathlib; p = pathlib.Path({str(marker)!r}); p.exists() or (p.touch(), os.kill(os.getpid(), 9))"
    )
    outcome = run_all(SPECS[:1], store=store, jobs=1, retry=RetryPolicy(2))[SPECS[0].id]
    assert marker.exists() and "exit code 0" in outcome.message


def test_a_run_fails_after_too_many_attempts_without_progress(store: Store, run: RunFolder, run_code: RunCode) -> None:
    run_code("raise AssertionError")
    for _ in range(3):
        run.begin_attempt(SPECS[0])
    outcome = run_all(SPECS[:1], store=store, retry=RetryPolicy(3))[SPECS[0].id]
    failure = run.read_record().failure
    assert outcome.state == RunState.FAILED and len(run.read_attempts()) == 3
    assert failure is not None and failure.kind == "no progress" and "3 attempts" in failure.message


def test_earlier_attempts_and_attempts_with_progress_do_not_count(run: RunFolder, run_code: RunCode) -> None:
    run_code("raise SystemExit(1)")
    for _ in range(3):
        run.begin_attempt(SPECS[0])
    assert run.count_stalls() == 3 and run.count_stalls(after=2) == 1
    run.checkpoint_path.write_bytes(b"further")
    assert run.count_stalls() == 0


def test_an_evaluation_that_has_counted_more_images_is_progress(run: RunFolder) -> None:
    run.checkpoint_path.parent.mkdir(parents=True)
    run.checkpoint_path.write_bytes(b"trained")
    run.begin_attempt(SPECS[0])
    run.begin_attempt(SPECS[0])
    assert run.count_stalls() == 2
    run.partial_path.mkdir()
    (run.partial_path / "1-0-of-1.npz").write_bytes(b"counts of the first images")
    assert run.count_stalls() == 0


def test_a_terminated_process_leaves_a_run_that_can_resume(store: Store, run: RunFolder, run_code: RunCode) -> None:
    run_code(f"raise SystemExit({ExitCode.INTERRUPTED})")
    assert run_all(SPECS[:1], store=store)[SPECS[0].id].state == RunState.INTERRUPTED
    assert not run.record_path.exists()


def test_a_kill_by_the_kernel_because_memory_ran_out_is_a_failure_without_retry(
    store: Store, run: RunFolder, run_code: RunCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = iter(range(9))
    monkeypatch.setattr(local_pool, "count_oom_kills", lambda: next(kills))
    run_code(DIE)
    run_all(SPECS[:1], store=store, retry=RetryPolicy(3))
    failure = run.read_record().failure
    assert failure is not None and failure.kind == "OUT_OF_MEMORY" and len(run.read_attempts()) == 1


def test_there_are_never_more_processes_than_jobs(store: Store, run_code: RunCode) -> None:
    run_code("raise SystemExit(1)")
    snapshots: list[PoolSnapshot] = []
    run_all(SPECS, store=store, jobs=2, observe=snapshots.append)
    assert max(len(snapshot.running) for snapshot in snapshots) == 2
    assert len(snapshots[-1].outcomes) == 4


def test_runs_are_distributed_evenly_over_devices(store: Store, run_code: RunCode) -> None:
    run_code("import sys, time; print(sys.argv[1], flush=True); time.sleep(1)")
    run_all(SPECS, store=store, jobs=4, resources=WorkerResources(devices=("4", "6")))
    assert sorted(store.run(spec.id).find_log().read_text() for spec in SPECS) == ["4\n", "4\n", "6\n", "6\n"]


def test_finished_runs_and_runs_of_other_processes_are_skipped(store: Store, run_code: RunCode) -> None:
    run_code("raise AssertionError")
    save(store, SPECS[0], even(80, 60))
    with hold_lock(store.run(SPECS[1].id).path):
        outcomes = run_all(SPECS[:2], store=store, jobs=2)
    assert [outcome.state for outcome in outcomes.values()] == [RunState.DONE, RunState.RUNNING]


def test_an_interrupt_ends_the_processes_of_the_pool_and_leaves_no_failure(
    store: Store, run: RunFolder, run_code: RunCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_code("import time; time.sleep(60)")
    ended: list[subprocess.Popen[bytes]] = []

    def end_and_record(processes: list[subprocess.Popen[bytes]], *, grace_s: float) -> None:
        ended.extend(processes)
        end_processes(processes, grace_s=grace_s)

    monkeypatch.setattr(local_pool, "end_processes", end_and_record)
    with pytest.raises(KeyboardInterrupt):
        run_all(SPECS, store=store, jobs=2, observe=_interrupt)
    assert len(ended) == 2 and all(process.poll() is not None for process in ended)
    assert run.read_state() == RunState.MISSING  # no attempt had begun


def _interrupt(_snapshot: PoolSnapshot) -> None:
    raise KeyboardInterrupt


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    end_processes([process], grace_s=0.2)
    process.stdout.close()
    assert process.returncode == -9


def test_a_worker_skips_a_locked_run(store: Store, run: RunFolder) -> None:
    path = run.write_spec(SPECS[0])
    with hold_lock(run.path):
        assert worker.main([str(path), "--store", str(store.root)]) == ExitCode.BUSY
    assert run.read_attempts() == []


def test_a_worker_names_the_broken_spec_file(store: Store, run: RunFolder) -> None:
    path = run.write_spec(SPECS[0])
    path.write_text(path.read_text()[:40])
    with pytest.raises(ValueError, match=r"spec\.json is broken"):
        worker.main([str(path), "--store", str(store.root)])


def test_a_run_whose_files_cannot_be_used_is_broken_and_the_others_go_on(store: Store, run_code: RunCode) -> None:
    run_code("raise SystemExit(5)")
    broken = store.run(SPECS[0].id)
    broken.write_spec(SPECS[0]).write_text("{")
    outcomes = run_all(SPECS[:2], store=store, jobs=1)
    assert [outcomes[spec.id].state for spec in SPECS[:2]] == [RunState.BROKEN, RunState.FAILED]
    assert outcomes[SPECS[0].id].message.startswith(f"{broken.spec_path} is broken")
