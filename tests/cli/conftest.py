"""Fixtures of the commands."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.run_spec import RunSpec
from benchmark.execution.worker_process import WorkerResources
from benchmark.store.store import Store


class FinishedWorker:
    """A worker that has ended without an error before anybody waits for it."""

    pid = 0

    def poll(self) -> int:
        """Return the exit code."""
        return 0


@pytest.fixture
def own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the local pool compute runs in this process, for tests of what commands do with a finished run."""

    def start(spec: RunSpec, *, store: Store, resources: WorkerResources, **_: Any) -> FinishedWorker:
        from benchmark.execution.runner import execute

        execute(spec, store=store, measures_cost=resources.measures_cost)
        return FinishedWorker()

    monkeypatch.setattr("benchmark.execution.local_pool.start_worker", start)
