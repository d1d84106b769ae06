"""Tests of cautions below tables: which rows and scores have them, and what is said if all do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.cautions import name_cautions
from benchmark.report.tables.selection import select_columns
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from tests.report.world import BUDGET, even, hand_counts, plan_of, save, spec_of

Ids = dict[str, dict[int, str]]


def save_rows(store: Store, seeds: dict[str, tuple[int, ...]], *, seen: tuple[bool, ...] | None = None) -> Ids:
    """Save rows with these seeds, whose scores differ between images, and return their ids."""
    ids: Ids = {label: {} for label in seeds}
    for lost, label in enumerate(seeds):
        for seed in seeds[label]:
            right = [[80 + seed, 80, 60 + image - 9 * lost, 50 + seed + image] for image in range(4)]
            counts = hand_counts(right)
            counts = replace(counts, seen=seen) if seen is not None else counts
            ids[label][seed] = save(store, spec_of(label, seed=seed), counts)
    return ids


def render_text(store: Store, ids: Ids, *, columns: tuple[str, ...] = ()) -> str:
    selected = select_columns(columns)
    rows = read_rows(store, plan_of(ids), metrics=selected.metrics)
    return " ".join(render(collect_results(rows), columns=selected).split())


def test_a_caution_of_some_scores_names_them_and_one_of_all_does_not() -> None:
    cautions = {"mIoU(S)": "two seeds", "mIoU(U)": None, "hIoU": "two seeds; nothing varies"}
    assert name_cautions(cautions) == ["two seeds", "hIoU: nothing varies"]


def test_without_unseen_classes_the_cautions_stay_and_the_reason_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = render_text(store, save_rows(store, {"a": (0, 1), "b": (0, 1)}, seen=(True,) * 4))
    assert "The intervals of scores need caution in every row (two seeds: unreliable)." in text
    assert (
        "mIoU(U) and hIoU are not defined: no unseen class occurs in the targets of the scored images; "
        "so there is no ΔhIoU, p or rank." in text
    )


def test_the_reason_of_missing_ranks_is_said_without_a_column_of_hiou(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = save_rows(store, {"a": (0, 1), "b": (0, 1)}, seen=(True,) * 4)
    words = "hIoU is not defined: no unseen class occurs"
    assert words in render_text(store, ids, columns=("hiou_rank", "miou"))
    assert words not in render_text(store, ids, columns=("miou",))


def test_cautions_are_those_of_the_printed_scores(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = save_rows(store, {"a": (0, 1), "b": (0, 1)})
    assert "ΔhIoU: two seeds: unreliable" in render_text(store, ids)
    assert "unreliable" not in render_text(store, ids, columns=("runs_done",))


@pytest.mark.parametrize(
    ("seeds", "tests"),
    [
        ((0, 1, 2), "sign flips of pairs"),
        ((0, 1, 2, 3), "sign flips of pairs"),
        ((2, 3, 4), "permutations of unpaired runs"),
    ],
)
def test_the_rule_of_pairs_is_true_and_unpaired_rows_are_noted(
    tmp_path: Path, seeds: tuple[int, ...], tests: str
) -> None:
    store = Store(tmp_path)
    text = render_text(store, save_rows(store, {"a": (0, 1, 2), "b": seeds}))
    assert "Seeds are paired if they are equal or at least three are shared." in text
    assert f"could give ({tests})." in text
    assert ("ΔhIoU: seeds are not paired" in text) is tests.startswith("permutations")


def test_single_runs_have_no_note_on_pairs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = render_text(store, save_rows(store, {"a": (0,), "b": (0,)}))
    assert "ΔhIoU: difference" in text and "paired" not in text and "an exact test" not in text


def test_the_interval_of_several_differences_is_said_to_be_uncorrected(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = save_rows(store, {"a": (0, 1, 2), "b": (0, 1, 2), "c": (0, 1, 2)})
    words = "not corrected for the number of comparisons, as p is"
    assert words in render_text(store, ids)
    assert words not in render_text(store, {label: ids[label] for label in ("a", "b")})


def test_a_method_without_supervision_trains_nothing_whatever_its_budget(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = save_rows(store, {"a": (0,), "b": (0,)})
    ids["free"] = {0: save(store, spec_of("free"), even(40, 40), supervision="none", is_deterministic=True)}
    text = render_text(store, ids)
    assert BUDGET.iterations == 600 and "no training" in text and text.count("600 iterations") == 1
