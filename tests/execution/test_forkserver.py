"""Workers that are forked from a server are equivalent to fresh processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution.forkserver import SERVER_DIED
from benchmark.execution.local_pool import run_all
from benchmark.execution.worker_process import WorkerHandle, WorkerResources, WorkerStarter, end_processes, fork_worker
from benchmark.planning.resolve import resolve
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode


def make_spec(seed: int = 0, *, overrides: Mapping[str, object] | None = None) -> RunSpec:
    short = {"budget.iterations": 2, "budget.init_images": 4, **(overrides or {})}
    return resolve("tests/cli/tiny_method.py", split="toybox", seed=seed, overrides=short, max_images=2)


def make_slow_spec() -> RunSpec:
    return make_spec(overrides={"pause_s": 0.3, "budget.iterations": 500})


def wait_for_first_iteration(process: WorkerHandle, run: RunFolder) -> None:
    while not (run.read_heartbeat() or {}).get("done"):
        assert process.poll() is None
        time.sleep(0.05)


def read_digests(start: WorkerStarter | None, specs: list[RunSpec], store: Store) -> list[str | None]:
    """Run specs in a pool and return the digests of their counts."""
    run_all(specs, store=store, jobs=2, start=start)
    return [store.run(spec.id).read_record().counts_digest for spec in specs]


def test_a_forked_worker_gives_the_same_counts_as_a_fresh_one(tmp_path: Path) -> None:
    specs = [make_spec(seed) for seed in range(2)]
    fresh = read_digests(None, specs[1:], Store(tmp_path / "fresh"))
    forked = read_digests(fork_worker, specs, Store(tmp_path / "forked"))
    assert fresh == forked[1:] and None not in forked and forked[0] != forked[1]


def test_a_forked_worker_that_is_terminated_saves_and_exits_as_interrupted(tmp_path: Path) -> None:
    spec, store = make_slow_spec(), Store(tmp_path)
    process = fork_worker(spec, store=store, resources=WorkerResources())
    wait_for_first_iteration(process, store.run(spec.id))
    end_processes([process])
    assert process.poll() == ExitCode.INTERRUPTED and store.run(spec.id).checkpoint_path.exists()
    assert store.run(spec.id).read_state() is RunState.INTERRUPTED


def test_a_worker_survives_the_death_of_its_server_and_can_be_ended(tmp_path: Path) -> None:
    spec, store = make_slow_spec(), Store(tmp_path)
    process = fork_worker(spec, store=store, resources=WorkerResources())
    server = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(server, signal.SIGKILL)
    wait_for_first_iteration(process, store.run(spec.id))
    assert process.poll() is None
    end_processes([process])
    assert process.poll() == SERVER_DIED and store.run(spec.id).checkpoint_path.exists()


def test_the_failure_of_a_killed_forked_worker_names_the_signal(tmp_path: Path) -> None:
    spec, store = make_spec(overrides={"end": "die"}), Store(tmp_path)
    assert run_all([spec], store=store, start=fork_worker)[spec.id].state is RunState.FAILED
    failure = store.run(spec.id).read_record().failure
    assert failure is not None and failure.kind == "SIGKILL"
