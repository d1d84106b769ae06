"""A disk that is full at any one write: nothing that was computed before is lost, and the next attempt succeeds."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path

import pytest

from benchmark.core.run_state import RunState
from benchmark.engine import partial_counts
from benchmark.execution.runner import execute
from benchmark.store.store import Store
from tests.engine.runs import small_spec

SPEC = small_spec(budget__iterations=4)


def execute_on_full_disk(store: Store, *, at: int) -> tuple[bool, str]:
    """Run with a disk that is full at one synchronized write; return whether it was reached, and the reason."""
    original, numbers = os.fsync, itertools.count(1)
    written: list[int] = []

    def synchronize(descriptor: int) -> None:
        written.append(next(numbers))
        if written[-1] == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", synchronize)
        patch.setattr(partial_counts, "MIN_INTERVAL_S", -1.0)
        patch.setattr(partial_counts, "MAX_COST_SHARE", float("inf"))
        try:
            record = execute(SPEC, store=store, checkpoint_every=2)
        except OSError as error:
            return len(written) >= at, str(error)
    return len(written) >= at, record.failure.message if record.failure else ""


@pytest.mark.slow
def test_every_write_may_fail_once(tmp_path: Path) -> None:
    expected = execute(SPEC, store=Store(tmp_path / "whole")).counts_digest
    reasons = []
    for at in itertools.count(1):
        store = Store(tmp_path / str(at))
        is_reached, reason = execute_on_full_disk(store, at=at)
        if not is_reached:
            break
        reasons.append(reason)
        assert not [path for path in store.root.rglob("*") if path.name.startswith(".draft-")]
        record = execute(SPEC, store=store)
        assert (record.state, record.counts_digest) == (RunState.DONE, expected)
    assert {"No space left" in reason for reason in reasons if reason} == {True}
    assert "" in reasons and len(reasons) > 10  # reports of progress and partial counts may be left out


def test_losses_that_cannot_be_written_end_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("benchmark.store.run_folder.append_losses", fail)
    assert execute(SPEC, store=Store(tmp_path)).state is RunState.DONE
