"""Large stores for timing hold runs that every command takes for runs of their own."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmark.core.run_state import RunState
from benchmark.core.split import load_split
from benchmark.store.store import Store
from slurm.testing.scale import large_store
from slurm.testing.scale.copied_runs import copy_runs
from slurm.testing.scale.paper_runs import invent_counts
from tests.report.world import even, save, spec_of


def test_copies_have_ids_of_their_own_and_the_counts_of_their_run(tmp_path: Path) -> None:
    source, target = Store(tmp_path / "source"), Store(tmp_path / "target")
    save(source, spec_of("paper"), even(80, 60))
    save(source, spec_of("no SGD"), even(70, 50))
    plan = copy_runs(source, target, runs=8)
    assert [len(row.ids) for row in plan.rows] == [3, 3, 2] and set(plan.ids) == set(target.list_ids())
    assert {target.run(run_id).read_state() for run_id in plan.ids} == {RunState.DONE}
    assert {target.run(run_id).read_counts().digest() for run_id in plan.rows[0].ids.values()} <= {
        even(80, 60).digest(),
        even(70, 50).digest(),
    }


def test_a_store_without_finished_runs_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no finished run"):
        copy_runs(Store(tmp_path), Store(tmp_path / "target"), runs=1)


def test_invented_counts_have_the_size_of_the_split_and_the_same_labels() -> None:
    split = load_split("voc12")
    first, second = (invent_counts(split, images=5, generator=np.random.default_rng(seed)) for seed in (1, 2))
    assert (len(first.image_ids), first.classes) == (5, split.classes)
    np.testing.assert_array_equal(first.target.toarray(), second.target.toarray())
    assert first != second


def test_every_command_is_timed_cold_and_warm_with_its_goal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(Store(tmp_path), spec_of("paper"), even(80, 60))
    monkeypatch.setattr(large_store, "MAX_MEMORY_MB", math.inf)  # a new process begins with the peak of this one
    monkeypatch.setattr(large_store, "COMMANDS", (large_store.TimedCommand(("status",), cold_s=60.0, warm_s=0.0),))
    assert large_store.main([str(tmp_path), "--runs", "3"]) == 0
    header, cold, warm = capsys.readouterr().out.splitlines()
    assert header.split() == ["wall", "CPU", "memory", "goal"]
    assert cold.endswith("60.0 s met  status (cold)") and warm.endswith("0.0 s missed  status (warm)")


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="table nothing ended with exit code"):
        large_store.measure_command(tmp_path / "runs", ("table", "nothing"))
