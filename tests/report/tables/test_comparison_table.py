"""Tests of what a comparison says on undecidable families, floor scores and scores that rest on one image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.evaluation.counts import Counts
from benchmark.report.comparison import MethodComparison
from benchmark.report.tables.comparison_table import render
from benchmark.store.store import Store
from tests.report.world import compare_ids, hand_counts, save, spec_of


def compare(store: Store, *sides: dict[int, Counts], **options: Any) -> MethodComparison:
    named = zip("ab", sides, strict=True)
    a, b = ({seed: save(store, spec_of(name, seed=seed), run) for seed, run in side.items()} for name, side in named)
    return compare_ids(store, a, b, **options)


def varied(seed: int, lost: int) -> Counts:
    return hand_counts([[80 + seed, 80 + image - lost, 60 + image - lost, 60 - seed] for image in range(4)])


def read(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("seeds_a", "seeds_b", "least"), [(range(5), range(5), "0.0625"), (range(4), range(4, 7), "0.0286")]
)
def test_the_family_of_too_few_seeds_is_that_of_the_scores(
    tmp_path: Path, seeds_a: range, seeds_b: range, least: str
) -> None:
    sides = [{seed: varied(seed, lost) for seed in seeds} for seeds, lost in ((seeds_a, 0), (seeds_b, 20))]
    text = read(render(compare(Store(tmp_path), *sides)))
    assert f"its p cannot go below {least}; 3 comparisons need 0.017 under Holm" in text
    assert "7 paired seeds would not need that" in text


def test_enough_seeds_for_all_scores_have_no_warning(tmp_path: Path) -> None:
    six, seven = (
        read(render(compare(Store(tmp_path / str(n)), *({s: varied(s, lost) for s in range(n)} for lost in (0, 20)))))
        for n in (6, 7)
    )
    assert "Too few seeds" in six and "Too few seeds" not in seven


def test_floor_scores_of_both_sides_are_not_decided(tmp_path: Path) -> None:
    sides = [
        {seed: hand_counts([[50 + seed + i, 60 + lost, 0, 0] for i in range(4)]) for seed in range(3)}
        for lost in (0, 9)
    ]
    comparison = compare(Store(tmp_path), *sides, margin=1.0)
    hiou = json.loads(render(comparison, fmt="json"))["differences"]["hiou"]
    assert (hiou["difference"], hiou["p_value"], hiou["verdict"]) == (0, 1, "not decided")
    assert not hiou["margin"]["is_equivalent"] and hiou["margin"]["verdict"] == "not decided"
    assert "no variation observed although the runs differ: nothing can be concluded" in read(render(comparison))


def test_an_unknown_standard_error_is_null_in_json(tmp_path: Path) -> None:
    one = [{0: hand_counts([[right, 70, 60, 50]])} for right in (80, 70)]
    text = render(compare(Store(tmp_path), *one, margin=1.0), fmt="json")
    hiou = json.loads(text, parse_constant=pytest.fail)["differences"]["hiou"]
    assert hiou["standard_error"] is None and hiou["caution"].endswith("variation over images is unknown")
    assert (hiou["low"], hiou["high"], hiou["margin"]["verdict"]) == (-100, 100, "not decided")
