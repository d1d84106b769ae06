"""Files that another attempt must not find, and those that it must."""

from __future__ import annotations

from pathlib import Path

from benchmark.core.run_record import Failure
from benchmark.store.store import Store
from tests.report.world import save, spec_of

SPEC = spec_of("paper")


def test_only_the_checkpoint_that_was_refused_is_set_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = store.run(SPEC.id)
    run.checkpoint_path.parent.mkdir(parents=True)
    run.checkpoint_path.write_bytes(b"broken")
    run.begin_attempt(SPEC)
    save(store, SPEC, Failure(kind="CheckpointError", message="broken"))
    assert run.has_refused_checkpoint()
    run.checkpoint_path.write_bytes(b"restored")
    assert not run.has_refused_checkpoint()
    (run.path / "attempts" / "01" / "attempt.json").write_text("{")
    assert not run.has_refused_checkpoint()
