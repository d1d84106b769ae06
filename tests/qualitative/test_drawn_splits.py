"""Tests of the splits whose segmentations are drawn. Nothing is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.plan import Plan
from benchmark.qualitative.drawn_splits import choose_drawn_splits
from benchmark.store.store import Store
from tests.report.world import even, plan_of, plan_splits, save, save_splits, spec_of

LATE = "difference:late"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def _plan_drawn(store: Store) -> Plan:
    """Return a plan of rows on three splits that are one group; the row "late" is not on the most complete one."""
    lost = {"paper": {0: 0, 1: 0, 2: 0}, "no SGD": {0: 0, 1: 1}, "no CSH": {0: 2}, "late": {1: 3, 2: 3}}
    return plan_splits(*(save_splits(store, label, some) for label, some in lost.items()))


def test_of_one_group_the_first_split_with_the_named_row_is_drawn(store: Store) -> None:
    notes: list[str] = []
    plan = _plan_drawn(store)
    assert [part.splits for part in choose_drawn_splits(store, plan)] == [("toybox@2-s0-00",)]
    parts = choose_drawn_splits(store, plan, select=LATE, notify=notes.append)
    assert [part.splits for part in parts] == [("toybox@2-s0-01",)]
    assert notes == ["segmentations are those of toybox@2-s0-01, one of 3 splits; --split NAME takes another"]


def test_groups_without_the_named_row_are_noted(store: Store) -> None:
    notes: list[str] = []
    alone = plan_of({"other": {0: save(store, spec_of("other", dataset_fingerprint="other"), even(80, 60))}})
    plan = _plan_drawn(store)
    mixed = plan.model_copy(update={"rows": (*alone.rows, *plan.rows)})
    parts = choose_drawn_splits(store, mixed, select=LATE, notify=notes.append)
    assert [part.splits for part in parts] == [("toybox@2-s0-01",)]
    assert notes[0] == "no segmentations on toybox: no row with a finished run 'late'. There are: other"


def test_a_row_that_is_on_no_split_is_refused_with_the_rows_of_each(store: Store) -> None:
    with pytest.raises(KeyError, match=r"00, no row .* 'lat'\. .*: paper, .*; on toybox@2-s0-01, .* mean 'late'\?"):
        choose_drawn_splits(store, _plan_drawn(store), select="difference:lat")
