"""A pool that computes nothing: what commands start with it is recorded, and every run gets a made-up result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.evaluation.counts import Counts
from benchmark.execution.local_pool import RunOutcome
from benchmark.store.store import Store
from tests.report.world import save

FAILURE = Failure(kind="ValueError", message="no")


def replace_pool(monkeypatch: pytest.MonkeyPatch, *, result: Counts) -> list[RunSpec]:
    """Replace the local pool and return the list of the specs that it will be called with.

    Args:
        monkeypatch: Fixture of the test.
        result: Counts of every run, except that seed 9 fails and seed 13 is interrupted.
    """
    given: list[RunSpec] = []

    def run_all(specs: Sequence[RunSpec], *, store: Store, **_: Any) -> dict[str, RunOutcome]:
        given.extend(specs)
        for spec in specs:
            if spec.seed == 13:
                raise KeyboardInterrupt
            store.run(spec.id).begin_attempt(spec)
            attempts = len(store.run(spec.id).read_attempts())
            save(store, spec, FAILURE if spec.seed == 9 else result, attempts=attempts)
        return {spec.id: RunOutcome(RunState.FAILED if spec.seed == 9 else RunState.DONE) for spec in specs}

    monkeypatch.setattr("benchmark.execution.local_pool.run_all", run_all)
    return given
