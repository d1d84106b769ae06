"""Tests of the sides of a comparison: which runs can be compared, and which seeds are paired."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import Metric
from benchmark.evaluation.sides import Side, check_pool, check_sides, find_pairing, find_pool_obstacle
from tests.evaluation.synthetic_runs import counts_of, make, make_side


def check(*runs: Counts, metric: Metric = "hiou", level: float = 0.95) -> None:
    check_sides([Side({0: run}) for run in runs], metrics=[metric], level=level)


def test_runs_are_in_the_order_of_their_seeds() -> None:
    runs = {7: make(0.5), 3: make(0.6)}
    assert Side(runs).seeds == (3, 7) and Side(runs).counts == (runs[3], runs[7])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 1), (1, 0), ("seeds", (0, 1))),
        ((0, 1, 2, 3), (1, 2, 3), ("shared seeds", (1, 2, 3))),
        ((0, 1, 2), (1, 2), ("none", ())),
        ((0, 1), (2, 3), ("none", ())),
        ((0,), (0,), ("none", ())),
    ],
)
def test_seeds_are_paired_if_both_sides_have_them(
    a: tuple[int, ...], b: tuple[int, ...], expected: tuple[str, tuple[int, ...]]
) -> None:
    assert find_pairing(make_side(0.6, seeds=a), make_side(0.5, seeds=b)) == expected


def test_seeds_of_a_deterministic_method_are_not_paired() -> None:
    fixed = replace(make_side(0.6), is_deterministic=True)
    assert find_pairing(fixed, make_side(0.6)) == ("none", ())


def test_runs_on_different_images_are_not_compared() -> None:
    with pytest.raises(ValueError, match="lacks 3 of the first run's 40 and has 0 others"):
        check(make(0.6), make(0.6, images=37))


def test_runs_on_different_labels_are_not_compared() -> None:
    right = np.full((4, 3), 5)
    with pytest.raises(ValueError, match="different labels"):
        check(counts_of(right, right + 1), counts_of(right, right + 2))


def test_runs_of_different_splits_are_not_compared() -> None:
    with pytest.raises(ValueError, match="runs of one split"):
        check(make(0.6), replace(make(0.6), seen=(True, True, True)))


def test_a_side_without_runs_and_runs_without_images_are_errors() -> None:
    with pytest.raises(ValueError, match="side 1 has no runs"):
        check_sides([make_side(0.6), Side({})], metrics=["hiou"], level=0.95)
    with pytest.raises(ValueError, match="no images"):
        check(make(0.6, images=0))


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_a_level_is_a_fraction(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        check(make(0.6), level=level)


def test_an_unknown_metric_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="did you mean 'hiou'"):
        check(make(0.6), metric="hIoU")  # type: ignore[arg-type]


def test_splits_that_differ_in_the_unseen_classes_alone_are_a_pool() -> None:
    sides = {"x": Side({0: make(0.6)}), "y": Side({0: replace(make(0.5), seen=(True, False, True))})}
    assert find_pool_obstacle(sides) == ""


def test_splits_with_other_labels_are_no_pool() -> None:
    target = make(0.6).target.toarray() + 1
    sides = {"x": Side({0: make(0.6)}), "y": Side({0: replace(counts_of(target, target), seen=(True, False, True))})}
    assert find_pool_obstacle(sides) == "splits x and y have the same images with different labels"
    with pytest.raises(ValueError, match="different labels: pool splits that differ in nothing but"):
        check_pool(sides)


@pytest.mark.parametrize(
    ("changes", "obstacle"),
    [
        (
            {"image_ids": tuple(f"x{number:03}" for number in range(40))},
            "splits x and y are evaluated on different images",
        ),
        ({"classes": ("a", "b", "d")}, "splits x and y have different classes"),
        ({"seen": (True, False, False)}, "splits x and y have 1 and 2 unseen classes"),
        ({"seen": (True, True, False)}, "splits x and y withhold the same classes"),
    ],
)
def test_other_splits_are_no_pool(changes: dict[str, object], obstacle: str) -> None:
    counts, seen = make(0.6), changes.pop("seen", (True, False, True))
    other = replace(counts, seen=seen, **changes)  # type: ignore[arg-type]
    assert find_pool_obstacle({"x": Side({0: counts}), "y": Side({0: other})}) == obstacle


def test_labels_that_runs_share_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(0.6)
    other = copy(make(0.5))
    vars(other)["target"] = run.target
    monkeypatch.delattr(np, "array_equal")
    check(run, other)
