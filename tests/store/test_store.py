"""Runs and plans below one folder."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.atomic_files import UnreadableError
from tests.report.world import even, plan_of, save, spec_of

SPEC = spec_of()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_reading_an_absent_store_creates_nothing(store: Store) -> None:
    assert (store.list_ids(), store.list_plans(), store.run("x").read_state()) == ([], [], RunState.MISSING)
    assert not store.root.exists()


def test_a_run_is_found_by_any_unique_part_of_its_id(store: Store) -> None:
    first, second = save(store, SPEC, even(80, 60)), save(store, spec_of(seed=1), even(80, 60))
    assert store.find(first) == first
    assert store.find("toybox-s1") == second
    assert store.find(second[-8:].upper()) == second
    with pytest.raises(KeyError, match="ambiguous: it matches 2 runs"):
        store.find("demo-paper")
    with pytest.raises(KeyError, match="no run 'zzz'"):
        store.find("zzz")


def test_a_run_is_found_by_its_row_as_tables_spell_it(store: Store) -> None:
    run_id = save(store, spec_of("no SGD"), even(80, 60))
    save(store, SPEC, even(80, 60))
    assert store.find("no SGD") == store.find("demo/no SGD") == run_id


def test_an_exact_name_comes_before_longer_ones_that_begin_with_it(store: Store) -> None:
    imported: dict[str, Any] = {"method": "imported", "engine": "imported"}
    back, back2 = (save(store, spec_of(name, **imported), even(80, 60)) for name in ("back", "back2"))
    save(store, spec_of("back to back", **imported), even(80, 60))
    assert store.find("back") == store.find("imported/Back") == back
    assert store.find("back2") == back2


def test_a_broken_record_hides_no_other(store: Store) -> None:
    good, bad = save(store, SPEC, even(80, 60)), save(store, spec_of(seed=1), even(80, 60))
    path = store.run(bad).record_path
    path.write_bytes(path.read_bytes()[:100])
    states = {run_id: store.run(run_id).read_state() for run_id in store.list_ids()}
    assert states == {good: RunState.DONE, bad: RunState.BROKEN}


def test_a_plan_is_read_back_and_an_unknown_one_names_the_nearest(store: Store) -> None:
    plan = plan_of({"paper": {0: SPEC.id}}).model_copy(update={"study": "mine"})
    store.write_plan(plan)
    assert store.read_plan("mine") == plan
    with pytest.raises(KeyError, match="did you mean 'mine'"):
        store.read_plan("mines")
    with pytest.raises(KeyError, match=r"begin with: chimera-bench --runs .* run ablations"):
        store.read_plan("ablations")


def test_a_folder_that_cannot_be_read_is_named_in_one_wording(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    problem = f"{store.root / 'plans'} cannot be read (Permission denied): ask its owner to make it readable"
    for read in (store.list_plans, lambda: store.read_plan("demo")):
        with pytest.raises(UnreadableError, match=re.escape(problem)):
            read()
    assert store.read_plans() == ({}, [problem])
    with pytest.raises(UnreadableError, match="cannot be read"):
        store.list_ids()
