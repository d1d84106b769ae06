"""Tests of merged plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.plan import Plan
from benchmark.exchange.merge_store import merge
from benchmark.store.store import Store
from tests.report.world import plan_of


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Store, Store]:
    return Store(tmp_path / "ours"), Store(tmp_path / "theirs")


def merge_plans(stores: tuple[Store, Store], mine: Plan | None, other: Plan) -> tuple[str, Store]:
    """Merge a plan and return what became of it."""
    ours, theirs = stores
    theirs.write_plan(other)
    if mine is not None:
        ours.write_plan(mine)
    return merge(theirs.root, ours).plans[0].action, ours


def test_a_plan_that_is_not_here_is_copied_and_an_equal_one_stays(stores: tuple[Store, Store]) -> None:
    plan = plan_of({"paper": {0: "a"}})
    assert merge_plans(stores, None, plan)[0] == "new"
    assert merge_plans(stores, None, plan)[0] == "identical"
    assert stores[0].read_plan("demo") == plan


def test_seeds_of_equal_rows_are_joined(stores: tuple[Store, Store]) -> None:
    mine, other = plan_of({"paper": {0: "a", 1: "b"}}), plan_of({"paper": {1: "b", 2: "c"}})
    action, ours = merge_plans(stores, mine, other)
    assert action == "merged" and ours.read_plan("demo").rows[0].ids == {0: "a", 1: "b", 2: "c"}


@pytest.mark.parametrize("rows", [{"no SGD": {0: "a"}}, {"paper": {0: "x"}}, {"paper": {0: "a"}, "no SGD": {0: "b"}}])
def test_other_plans_are_kept_apart_under_one_name(
    stores: tuple[Store, Store], rows: dict[str, dict[int, str]]
) -> None:
    mine = plan_of({"paper": {0: "a"}})
    action, ours = merge_plans(stores, mine, plan_of(rows))
    (name,) = [name for name in ours.list_plans() if name != "demo"]
    assert action == "kept apart" and ours.read_plan("demo") == mine
    assert ours.read_plan(name).rows == plan_of(rows).rows and ours.read_plan(name).study == name
    assert merge(stores[1].root, ours).plans[0].action == "kept apart already"


def test_a_plan_that_is_called_other_than_its_file_is_not_written_anywhere(stores: tuple[Store, Store]) -> None:
    ours, theirs = stores
    path = theirs.write_plan(plan_of({"paper": {0: "a"}}))
    path.write_text(path.read_text().replace('"study": "demo"', '"study": "../../evil"'))
    (merged,) = merge(theirs.root, ours).plans
    assert merged.action == "broken" and "the plan of another study, '../../evil'" in merged.reason
    assert not list(ours.root.parent.rglob("*evil*")) and ours.list_plans() == []
