"""Time limits of worker processes on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.core.run_state import RunState
from benchmark.execution import local_pool
from benchmark.execution.local_pool import run_all
from benchmark.execution.time_limit import TimeLimitedWorker
from benchmark.execution.worker_process import WorkerResources
from benchmark.store.store import Store
from tests.report.world import spec_of

SAVE = "signal.signal(15, lambda *_: (checkpoint.write_bytes(b'1'), sys.exit(130)))"


def start(code: str, *arguments: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=stdout)


def wait(poll: Callable[[], int | None]) -> int:
    until = time.monotonic() + 20
    while (code := poll()) is None and time.monotonic() < until:
        time.sleep(0.02)
    assert code is not None
    return code


def test_a_process_without_a_limit_ends_by_itself() -> None:
    with start("raise SystemExit(5)") as process:
        worker = TimeLimitedWorker(process)
        assert (wait(worker.poll), worker.has_reached_limit) == (5, False)


def test_a_process_is_terminated_at_its_limit() -> None:
    with start("import time; time.sleep(60)") as process:
        worker = TimeLimitedWorker(process, limit_s=0.1)
        assert (wait(worker.poll), worker.has_reached_limit) == (-15, True)


def test_a_process_that_does_not_end_in_time_is_killed() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    with start(code, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        assert wait(TimeLimitedWorker(process, limit_s=0.0, grace_s=0.2).poll) == -9


@pytest.mark.parametrize(
    ("on_term", "words"), [(SAVE, "its checkpoint is kept"), ("", "saved nothing new: give it more time")]
)
def test_a_run_at_its_limit_is_interrupted_and_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_term: str, words: str
) -> None:
    store, spec = Store(tmp_path), spec_of()
    run = store.run(spec.id)
    imports = f"import pathlib, signal, sys, time; checkpoint = pathlib.Path({str(run.checkpoint_path)!r})"
    code = f"{imports}; {on_term}\ntime.sleep(60)"
    monkeypatch.setattr(local_pool, "start_worker", lambda spec, **_: (run.begin_attempt(spec), start(code))[1])
    resources = WorkerResources(time_limit_s=1.0)
    outcome = run_all([spec], store=store, jobs=1, resources=resources)[spec.id]
    assert outcome.state is RunState.INTERRUPTED and not run.record_path.exists()
    assert outcome.message.startswith("reached its time limit of 1 s") and outcome.message.endswith(words)
