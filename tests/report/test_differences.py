"""Tests of differences to a baseline: the family, the baseline, and rows that lack runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.evaluation.families import adjust_holm
from benchmark.evaluation.stats import compare_sides
from benchmark.report.differences import AdjustedDifference, compare_with_baselines, find_baselines
from benchmark.report.result_row import ResultRow
from benchmark.report.rows import Row, read_rows
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of, two_rows


def compare_with_baseline(rows: Sequence[Row], baseline: ResultRow | None) -> list[AdjustedDifference | None]:
    """Return the differences of the rows of one group."""
    return compare_with_baselines([(rows, baseline)])[0]


def find_baseline(rows: Sequence[Row], name: str = "") -> ResultRow | None:
    """Return the baseline of one group."""
    return find_baselines([rows], name)[0]


LOST = Failure(kind="OutOfMemoryError", message="tried to allocate 2 GiB", log_tail="...")


def test_differences_are_to_the_baseline_and_corrected_as_a_family(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {row.label: row.ids for row in two_rows(store).rows}
    ids |= {"same": {seed: save(store, spec_of("same", seed=seed), even(80 + seed, 60)) for seed in range(3)}}
    rows = read_rows(store, plan_of(ids))
    first, worse, same = compare_with_baseline(rows, rows[0])
    assert first is None and worse is not None and same is not None
    mean = [row.estimates["hiou"].mean for row in rows[:2]]
    assert worse.paired.difference == pytest.approx(mean[1] - mean[0])
    sides = [row.side for row in rows[1:]]
    alone = compare_sides(sides, rows[0].side, metric="hiou", convention="d2-main")
    assert (worse.p_adjusted, same.p_adjusted) == adjust_holm([difference.p_value for difference in alone])


def test_a_failed_row_takes_the_difference_from_itself_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {row.label: row.ids for row in two_rows(store).rows}
    ids |= {"lost": {0: save(store, spec_of("lost"), LOST)}, "never": {0: spec_of("never").id}}
    rows = read_rows(store, plan_of(ids))
    with_lost, without = compare_with_baseline(rows, rows[0]), compare_with_baseline(rows[:2], rows[0])
    assert with_lost == [*without, None, None] and without[1] is not None


def test_a_row_that_lacks_a_seed_is_compared_with_those_it_has(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = read_rows(store, two_rows(store))
    late = replace(rows[1], runs=rows[1].runs[:2])
    _, difference = compare_with_baseline([rows[0], late], rows[0])
    assert difference is not None and difference.paired.seeds[0] == 2


@pytest.mark.parametrize("name", ["no SGD", "NO sgd", "demo/no SGD"])
def test_any_row_can_be_the_baseline(tmp_path: Path, name: str) -> None:
    rows = read_rows(Store(tmp_path), two_rows(Store(tmp_path)))
    assert find_baseline(rows, name) is rows[1] and find_baseline(rows) is rows[0]
    better, itself = compare_with_baseline(rows, find_baseline(rows, name))
    assert itself is None and better is not None and better.paired.difference > 0


@pytest.mark.parametrize("name", ["paper", "demo/Paper"])
def test_a_baseline_may_lack_the_overrides_behind_it(tmp_path: Path, name: str) -> None:
    first, other = read_rows(Store(tmp_path), two_rows(Store(tmp_path)))
    long, twin = (replace(first, label=f"paper [weight={weight}]") for weight in (1, 2))
    assert find_baseline([other, long], name) is long
    assert find_baselines([[long], [first]], name) == [None, first]
    with pytest.raises(KeyError, match=r"ambiguous: write one of 'demo/paper \[weight=1\]', 'demo/paper \[weight=2\]'"):
        find_baseline([other, long, twin], name)


def test_a_baseline_that_is_unknown_or_ambiguous_is_refused_with_help(tmp_path: Path) -> None:
    rows = read_rows(Store(tmp_path), two_rows(Store(tmp_path)))
    with pytest.raises(KeyError, match="no baseline 'no SDG'; did you mean 'no SGD'"):
        find_baseline(rows, "no SDG")
    with pytest.raises(KeyError, match="'paper' is ambiguous: write one of 'demo/paper', 'other/paper'"):
        find_baseline([rows[0], replace(rows[0], method="other")], "paper")
