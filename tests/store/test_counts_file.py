"""Tests of the check of counts files that every state is read with."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from tests.report.world import even, save, spec_of


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_run_whose_counts_were_cut_short_is_broken(tmp_path: Path, keep: int) -> None:
    run = Store(tmp_path).run(save(Store(tmp_path), spec_of(), even(80, 60)))
    assert run.read_state() is RunState.DONE
    run.counts_path.write_bytes(run.counts_path.read_bytes()[:keep])
    snapshot = run.read_snapshot()
    assert snapshot.state is RunState.BROKEN and not snapshot.is_unreadable
    assert snapshot.problem.startswith(f"{run.counts_path} does not hold counts")
