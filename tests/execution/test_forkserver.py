"""Workers that are forked from a warm server are what fresh processes are."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution.forkserver import LOST
from benchmark.execution.local_pool import run_all
from benchmark.execution.worker_process import Resources, Starter, end_processes, start_warm
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store


def _spec(seed: int = 0, *, overrides: Mapping[str, object] | None = None) -> RunSpec:
    few = {"budget.iterations": 2, "budget.init_images": 4, **(overrides or {})}
    return resolve("tests/cli/tiny_method.py", split="toybox", seed=seed, overrides=few, max_images=2)


def _kept(start: Starter | None, specs: list[RunSpec], store: Store) -> list[str | None]:
    run_all(specs, store=store, jobs=2, start=start)
    return [store.run(spec.id).read_record().counts_digest for spec in specs]


def test_a_warm_worker_comes_to_the_same_counts_as_a_fresh_one(tmp_path: Path) -> None:
    specs = [_spec(seed) for seed in range(3)]
    fresh, warm = (_kept(start, specs, Store(tmp_path / str(start))) for start in (None, start_warm))
    assert fresh == warm and None not in fresh and len(set(fresh)) == 3


def test_a_warm_worker_that_is_told_to_end_saves_and_says_so(tmp_path: Path) -> None:
    spec, store = _spec(overrides={"pause_s": 0.3, "budget.iterations": 500}), Store(tmp_path)
    process = start_warm(spec, store=store, each=Resources())
    while not (store.run(spec.id).read_heartbeat() or {}).get("done") and process.poll() is None:
        time.sleep(0.05)
    end_processes([process])
    assert process.poll() == 130 and store.run(spec.id).checkpoint_path.exists()
    assert store.run(spec.id).read_state() == RunState.INTERRUPTED


def test_a_worker_lives_on_when_its_server_dies_and_can_still_be_ended(tmp_path: Path) -> None:
    spec, store = _spec(overrides={"pause_s": 0.3, "budget.iterations": 500}), Store(tmp_path)
    process = start_warm(spec, store=store, each=Resources())
    server = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(server, signal.SIGKILL)
    while not (store.run(spec.id).read_heartbeat() or {}).get("done"):
        time.sleep(0.05)
    assert process.poll() is None
    end_processes([process])
    assert process.poll() == LOST and store.run(spec.id).checkpoint_path.exists()


def test_a_warm_worker_that_dies_shows_the_signal(tmp_path: Path) -> None:
    spec, store = _spec(overrides={"end": "die"}), Store(tmp_path)
    assert run_all([spec], store=store, start=start_warm)[spec.id].state == RunState.FAILED
    failure = store.run(spec.id).read_record().failure
    assert failure is not None and failure.kind == "SIGKILL"
