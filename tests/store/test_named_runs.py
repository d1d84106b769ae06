"""Runs named by study, method, variant or ID."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.store.named_runs import NamedRuns, find_named_runs
from benchmark.store.store import Store
from tests.report.world import plan_of, spec_of

PAPER = [spec_of(seed=seed) for seed in (0, 1)]
OTHER = spec_of("no SGD")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    for spec in (*PAPER, OTHER):
        store.run(spec.id).write_spec(spec)
    store.write_plan(plan_of({"paper": {0: PAPER[0].id, 7: "planned-s7-0123456789abcdef"}}).model_copy())
    return store


def test_a_plan_stands_for_all_its_runs(store: Store) -> None:
    assert find_named_runs(store, ["demo"]) == NamedRuns((PAPER[0].id, "planned-s7-0123456789abcdef"), ("demo",))


def test_a_method_stands_for_all_its_runs_and_a_variant_for_its_own(tmp_path: Path, store: Store) -> None:
    (tmp_path / "plans" / "demo.json").unlink()
    assert set(find_named_runs(store, ["demo"]).ids) == {PAPER[0].id, PAPER[1].id, OTHER.id}
    assert find_named_runs(store, ["demo/no SGD"]) == NamedRuns((OTHER.id,))


def test_names_may_be_mixed_and_every_run_is_named_once(store: Store) -> None:
    names = [OTHER.id[-16:], "demo/paper", PAPER[1].id]
    assert find_named_runs(store, names).ids == (OTHER.id, *sorted(spec.id for spec in PAPER))


def test_an_unknown_name_is_refused(store: Store) -> None:
    with pytest.raises(KeyError, match="no study, method or run 'damo'; did you mean 'demo'"):
        find_named_runs(store, ["damo"])


@pytest.mark.parametrize(
    ("name", "near"), [("ablatoins", "ablations"), ("chimera-sge/components", "chimera-seg/components")]
)
def test_a_misspelt_name_is_answered_with_what_may_be_planned(
    store: Store, tmp_path: Path, name: str, near: str
) -> None:
    for place in (store, Store(tmp_path / "empty")):
        with pytest.raises(KeyError, match=f"no study, method or run '{name}'; did you mean '{near}'"):
            find_named_runs(place, [name])


def test_a_part_of_several_ids_is_ambiguous(store: Store) -> None:
    with pytest.raises(KeyError, match="it matches 2 runs"):
        find_named_runs(store, ["demo-paper"])
