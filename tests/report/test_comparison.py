"""Tests of the comparison of two methods."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.core.protocol import Protocol
from benchmark.core.run_record import Failure
from benchmark.report.comparison_sides import find_runs
from benchmark.report.split_selection import select_on_split
from benchmark.report.tables.comparison_table import FORMATS, render
from benchmark.store.store import Store
from tests.core.machines import make_environment
from tests.report.world import COST, compare_ids, even, plan_of, save, spec_of, two_rows


def test_a_minus_b_is_the_difference_of_the_scores_in_the_table(tmp_path: Path) -> None:
    store = Store(tmp_path)
    better, worse = (row.ids for row in two_rows(store).rows)
    comparison = compare_ids(store, better, worse)
    a, b = (row.estimates["hiou"].mean for row in (comparison.a, comparison.b))
    hiou = comparison.differences["hiou"]
    assert hiou.paired.difference == pytest.approx(a - b)
    assert hiou.paired.interval.low > 0 and hiou.paired.seeds == (3, 3)
    assert comparison.differences["miou_seen"].paired.difference == 0


def test_differences_of_classes_equal_those_worked_out_by_hand(tmp_path: Path) -> None:
    store = Store(tmp_path)
    a, b = save(store, spec_of("a"), even(80, 60)), save(store, spec_of("b"), even(50, 60))
    grass, _, cup, _ = compare_ids(store, {0: a}, {0: b}).classes
    assert (grass.name, grass.is_seen) == ("grass", True)
    assert grass.difference == pytest.approx(100 * 80 / 120 - 100 * 50 / 150)
    assert (cup.is_seen, cup.difference) == (False, 0)


def test_other_differences_of_the_sides_are_cautions(tmp_path: Path) -> None:
    store = Store(tmp_path)
    a = save(store, spec_of("a"), even(80, 60), inputs={"clip.pt": "1", "a.txt": "1"})
    b = save(store, spec_of("b", seed=1), even(50, 60), supervision="none", inputs={"clip.pt": "2"})
    lost = save(store, spec_of("b", seed=2), Failure(kind="ValueError", message="torn"))
    cautions = compare_ids(store, {0: a}, {1: b, 2: lost}).cautions
    expected = ("supervision", "training", "seeds", "inputs")
    cautions = tuple(text for text in cautions if not text.startswith("the interval of A - B"))
    assert [text.split(":")[0] for text in cautions] == [*(f"different {name}" for name in expected), "B"]
    assert cautions[-2:] == ("different inputs: clip.pt", "B: seed 2 is left out (ValueError: torn)")


@pytest.mark.parametrize("margin", [None, 1.0])
def test_methods_of_two_protocol_classes_are_not_judged(tmp_path: Path, margin: float | None) -> None:
    store = Store(tmp_path)
    a = {seed: save(store, spec_of("a", seed=seed), even(80 + seed, 60)) for seed in range(3)}
    b = {seed: save(store, spec_of("b", seed=seed), even(30 + seed, 20), supervision="none") for seed in range(3)}
    comparison = compare_ids(store, a, b, margin=margin)
    text = render(comparison, width=None)
    assert text.count("not judged (other supervision)") == 3 * (1 if margin is None else 2)
    assert "better by" not in text and not comparison.differences["hiou"].is_within_class


def test_sides_are_found_by_row_by_id_and_by_the_part_that_seeds_share(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = two_rows(store)
    ids = plan.rows[1].ids
    assert find_runs(store, "No sgd", plan=plan) == ("no SGD", {"toybox": ids})
    assert find_runs(store, ids[2]) == ("demo/no SGD", {"toybox": {2: ids[2]}})
    assert find_runs(store, "demo-no-sgd") == ("demo/no SGD", {"toybox": ids})
    with pytest.raises(KeyError, match=r"'demo' stands for 2 rows, .* name one of them .'demo/no SGD', 'demo/paper'"):
        find_runs(store, "demo", plan=plan)


def test_long_lists_of_rows_are_cut_to_those_nearest_to_the_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(20):
        save(store, spec_of(config={"weight": number}), even(80, 60))
    plan = plan_of({f"row {number}": {0: f"x-s0-{number}"} for number in range(20)})
    with pytest.raises(KeyError, match=r"rows of demo: 'row 17', .* and 8 more"):
        find_runs(store, "raw 17", plan=plan)
    with pytest.raises(KeyError, match=r"'demo' stands for 20 rows, .* and 8 more\)"):
        find_runs(store, "demo")
    with pytest.raises(KeyError, match=r"here are rows on: s01, .* and 8 more"):
        select_on_split([f"s{number:02}" for number in range(20)], "s01x", str, place="demo")


def test_a_side_without_a_result_cannot_be_compared(tmp_path: Path) -> None:
    store = Store(tmp_path)
    a, b = (
        save(store, spec_of("a"), even(80, 60)),
        save(store, spec_of("b"), Failure(kind="ValueError", message="torn")),
    )
    with pytest.raises(ValueError, match=r"no finished run to compare .*ValueError: torn"):
        compare_ids(store, {0: a}, {0: b})


def test_sides_of_different_splits_cannot_be_compared(tmp_path: Path) -> None:
    store = Store(tmp_path)
    a, b = save(store, spec_of(), even(80, 60)), save(store, spec_of(split_digest="other"), even(50, 60))
    with pytest.raises(ValueError, match="not comparable"):
        compare_ids(store, {0: a}, {0: b})


def test_text_names_both_sides_and_gives_costs_as_ratios(tmp_path: Path) -> None:
    store = Store(tmp_path)
    half = COST.model_copy(update={"latency_ms": COST.latency_ms / 2})
    a, b = save(store, spec_of("a"), even(80, 60)), save(store, spec_of("b"), even(50, 60), cost=half)
    text = render(compare_ids(store, {0: a}, {0: b}, labels=("", "plain")))
    assert "A: demo/a (1 run)   B: plain (1 run)" in text
    assert next(line for line in text.splitlines() if line.startswith("test image")).split()[-3:] == [
        "12.5",
        "6.25",
        "2.00x",
    ]


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_repeats_to_the_byte(tmp_path: Path, fmt: str) -> None:
    store = Store(tmp_path)
    better, worse = (row.ids for row in two_rows(store).rows)
    assert render(compare_ids(store, better, worse), fmt=fmt) == render(compare_ids(store, better, worse), fmt=fmt)


def test_json_holds_every_class_and_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    better, worse = (row.ids for row in plan_of({row.label: row.ids for row in two_rows(store).rows}).rows)
    value = json.loads(render(compare_ids(store, better, worse), fmt="json"))
    assert [row["name"] for row in value["classes"]] == ["grass", "water", "cup", "fish"]
    assert value["b"]["run_ids"] == list(worse.values())
    assert value["differences"]["hiou"]["interval_over"] == "seeds and images"


def test_text_and_json_name_the_gamma_of_the_sides(tmp_path: Path) -> None:
    store = Store(tmp_path)
    a, b = (
        save(store, spec_of(variant, protocol=Protocol(gamma=0.1)), counts)
        for variant, counts in (("paper", even(80, 60)), ("no SGD", even(70, 50)))
    )
    comparison = compare_ids(store, {0: a}, {0: b}, labels=("paper", "no SGD"))
    assert "Offset gamma: 0.1 subtracted from their softmax." in " ".join(render(comparison).split())
    assert json.loads(render(comparison, fmt="json"))["gamma"] == 0.1


def test_a_margin_gives_a_verdict_on_every_metric(tmp_path: Path) -> None:
    store = Store(tmp_path)
    better, worse = (row.ids for row in two_rows(store).rows)
    comparison = compare_ids(store, better, worse, margin=1.0)
    text, value = render(comparison), json.loads(render(comparison, fmt="json"))
    assert list(comparison.margins) == ["miou_seen", "miou_unseen", "hiou"]
    hiou, seen = value["differences"]["hiou"], value["differences"]["miou_seen"]
    assert hiou["verdict"].startswith("better by ") and hiou["margin"]["is_non_inferior"]
    assert seen["verdict"] == "no difference at all" and seen["margin"]["verdict"] == "equivalent within ±1.0"
    assert "margin 1" in text and hiou["verdict"] in text


def test_without_a_margin_there_is_a_verdict_and_no_test(tmp_path: Path) -> None:
    store = Store(tmp_path)
    better, worse = (row.ids for row in two_rows(store).rows)
    value = json.loads(render(compare_ids(store, worse, better), fmt="json"))
    assert value["differences"]["hiou"]["verdict"].startswith("worse by ")
    assert value["differences"]["hiou"]["margin"] is None and value["differences"]["hiou"]["least_p"] == 0.25


@pytest.mark.parametrize("margin", [-1.0, 0.0, float("nan")])
def test_a_margin_that_is_not_positive_is_refused(tmp_path: Path, margin: float) -> None:
    store = Store(tmp_path)
    better, worse = (row.ids for row in two_rows(store).rows)
    with pytest.raises(ValueError, match="expected percentage points above 0"):
        compare_ids(store, better, worse, margin=margin)


def test_different_machines_and_continued_checkpoints_are_cautions(tmp_path: Path) -> None:
    store = Store(tmp_path)
    a = save(store, spec_of("a"), even(80, 60))
    other = make_environment(cpu_capability="AVX512")
    b = save(store, spec_of("b"), even(50, 60), environment=other, continued_from=("torch AVX2",))
    *_, arithmetic, continued = compare_ids(store, {0: a}, {0: b}).cautions
    assert arithmetic.startswith("different arithmetic: A torch AVX2") and "; B torch AVX512" in arithmetic
    assert continued.startswith("B: seed 0 was continued under other arithmetic (torch AVX2; then torch AVX512")


def test_stale_runs_are_a_caution_of_their_side(tmp_path: Path) -> None:
    store = Store(tmp_path)
    code = {"methods/no_such.py": "1"}
    a = {seed: save(store, spec_of("paper", seed=seed), even(80, 60), code=code) for seed in range(2)}
    b = {seed: save(store, spec_of("no SGD", seed=seed), even(80, 60)) for seed in range(2)}
    comparison = compare_ids(store, a, b)
    assert "A: seeds 0, 1 stale: methods/no_such.py is gone" in comparison.cautions
    assert not any("B:" in text and "stale" in text for text in comparison.cautions)
    for has_notes in (True, False):
        assert "A: seeds 0, 1 stale: methods/no_such.py is gone" in render(comparison, has_notes=has_notes)


def test_sides_of_the_same_runs_say_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids, other = (row.ids for row in two_rows(store).rows)
    assert "A and B are the same runs" in compare_ids(store, ids, ids).cautions
    assert f"A and B share runs: {ids[0]}" in compare_ids(store, {0: ids[0]}, ids).cautions
    assert not [text for text in compare_ids(store, ids, other).cautions if text.startswith("A and B")]


def test_a_comparison_of_one_score_has_no_family_and_no_star_without_unseen_classes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    counts = [replace(even(*right), seen=(True,) * 4) for right in ((80, 60), (50, 60))]
    a, b = (save(store, spec_of(name), run) for name, run in zip("ab", counts, strict=True))
    text = " ".join(render(compare_ids(store, {0: a}, {0: b}, margin=1.0)).split())
    assert "p: two-sided. The verdict is that of the interval." in text and "Margin of 1 point:" in text
    assert "unseen in training" not in text and "Seeds are paired" not in text
    assert "no unseen class occurs in the targets of the scored images; so there is no A - B and p of hIoU." in text
