"""Grids: the rows that sweeps and splits give, and the sweeps that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.grid import MAX_RUNS, count_runs, make_grid
from benchmark.core.study import Study
from benchmark.planning.expand import expand

TINY = "tests/cli/tiny_method.py"


def make_study(**fields: Any) -> Study:
    return Study.model_validate({"name": "g", "title": "G", "split": "toybox", "seeds": [0, 1]} | fields)


def test_a_sweep_gives_every_combination_with_the_last_key_fastest() -> None:
    study = make_study(sweep={"a": [1, 2], "method": ["m", "n"]})
    assert [(row.overrides, row.method) for row in make_grid(study)] == [
        ({"a": 1}, "m"),
        ({"a": 1}, "n"),
        ({"a": 2}, "m"),
        ({"a": 2}, "n"),
    ]
    assert count_runs(study) == 8


def test_every_row_is_swept_and_a_row_may_have_a_sweep_of_its_own() -> None:
    rows = ["m", {"method": "n", "sweep": {"b": [3, 4]}}]
    study = make_study(rows=rows, sweep={"a": [1, 2]})
    assert [row.overrides for row in make_grid(study)] == [
        {"a": 1},
        {"a": 2},
        {"a": 1, "b": 3},
        {"a": 1, "b": 4},
        {"a": 2, "b": 3},
        {"a": 2, "b": 4},
    ]
    assert count_runs(study) == 12


def test_splits_and_protocols_are_swept_and_rows_are_grouped_by_split() -> None:
    study = make_study(split=[], rows=["m", "n"], sweep={"split": ["x", "y"], "protocol": ["p", ""][:1]})
    rows = [(row.split, row.method, row.protocol) for row in make_grid(study)]
    assert rows == [("x", "m", "p"), ("x", "n", "p"), ("y", "m", "p"), ("y", "n", "p")]


def test_labels_show_what_is_swept_after_the_name_of_the_row() -> None:
    rows = [TINY, {"method": f"{TINY}/no scale", "label": "off", "set": {"budget.batch_size": 4}}]
    plan = expand(make_study(rows=rows, sweep={"budget.iterations": [5, 6]})).plan
    assert [row.label for row in plan.rows] == [
        "Tiny [budget.iterations=5]",
        "Tiny [budget.iterations=6]",
        "off [budget.iterations=5]",
        "off [budget.iterations=6]",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sweep": {}}, "a sweep is a table of lists of values, such as sweep:"),
        ({"sweep": [1, 2]}, "a sweep is a table of lists of values"),
        ({"sweep": None}, "a sweep is a table of lists of values"),
        ({"sweep": {"a": []}}, "the sweep of a has no values"),
        ({"sweep": {"a": 0.5}}, r"the sweep of a is one value, 0.5: give a list, a: \[0.5, …\]"),
        ({"sweep": {"a": [1, 2, 1]}}, "the sweep of a has 1 twice"),
        ({"sweep": {"method": ["m", 3]}}, "the sweep of method has a value that is not a name"),
        ({"sweep": {"seeds": [1, 2]}}, r"seeds cannot be swept: give seeds: \[0, 1, 2\]"),
        ({"sweep": {"method": ["n"]}}, r"method is swept, and row 1 \(m\) gives it too: remove one of them"),
        ({"sweep": {"split": ["x"]}}, "split is swept, and the study gives it too"),
        ({"sweep": {"a": [1]}, "set": {"a": 2}}, "a is swept, and the study gives it too"),
        ({"sweep": {"a": [1]}, "rows": [{"method": "m", "set": {"a": 2}}]}, r"a is swept, and row 1 \(m\) gives it"),
        ({"sweep": {"a": [1]}, "rows": [{"method": "m", "sweep": {"a": [2]}}]}, r"a is swept, and row 1 \(m\) gives"),
        ({"rows": [{"label": "x"}]}, "row 1 has no method: give method: NAME"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused_in_one_sentence(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_study(**{"rows": ["m"], **fields})


def test_a_sweep_of_a_key_that_a_row_does_not_have_names_row_and_values() -> None:
    with pytest.raises(KeyError, match=r"study 'g', row 2 \(spnet scale=1.0\): no setting 'scale'"):
        expand(make_study(rows=[TINY, "spnet"], sweep={"scale": [1.0]}))


def test_two_spellings_of_a_value_are_the_same_runs() -> None:
    with pytest.raises(ValueError, match=r"rows 'Tiny \[scale=2\]' and 'Tiny \[scale=2.0\]' are the same runs"):
        expand(make_study(rows=[TINY], sweep={"scale": [2, 2.0]}))


def test_a_grid_beyond_the_limit_is_refused_without_making_it() -> None:
    study = make_study(rows=["m"], sweep={key: list(range(100)) for key in "abcdef"})
    with pytest.raises(ValueError, match=f"has 2000000000000 runs, and at most {MAX_RUNS} are supported"):
        make_grid(study)
