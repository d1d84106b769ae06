"""Differences from a baseline of another protocol class: they look different, are explained, and are no verdicts."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from benchmark.core.protocol_class import ProtocolClass
from benchmark.report.figures.difference_forest import collect_lines
from benchmark.report.html.verdicts import judge_group
from benchmark.report.rows import Row, read_rows
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of

NOTE = "other training setting than"
TRANSDUCTIVE = ProtocolClass(setting="transductive")


@pytest.fixture
def results(tmp_path: Path) -> StudyResults:
    """Return a baseline, a worse row of its class, and a better one that was given unlabeled pixels, too."""
    store = Store(tmp_path)
    rows = {"paper": (60, ProtocolClass()), "less": (40, ProtocolClass()), "more": (80, TRANSDUCTIVE)}
    ids = {
        label: {
            seed: save(store, spec_of(label, seed=seed), even(80 + seed, unseen), traits=traits) for seed in range(3)
        }
        for label, (unseen, traits) in rows.items()
    }
    return collect_results(read_rows(store, plan_of(ids)))


@pytest.mark.parametrize(
    ("fmt", "difference", "p_value"),
    [
        ("txt", "+14.8 (\u2021)", "<0.001 (\u2021)"),
        ("md", "*+14.8*<sup>\u2021</sup>", "*\\<0.001*<sup>\u2021</sup>"),
        ("tex", r"\textit{+14.8}\textsuperscript{\textdaggerdbl{}}", r"\textsuperscript{\textdaggerdbl{}} Compared"),
        ("html", '<em class="other-class">+14.8</em><sup>\u2021</sup>', "<sup>\u2021</sup> Compared"),
    ],
)
def test_they_are_marked_and_explained_in_printed_formats(
    fmt: str, difference: str, p_value: str, results: StudyResults
) -> None:
    for has_notes in (True, False):
        text = render(results, fmt=fmt, width=None, has_notes=has_notes)
        assert difference in text and p_value in text
        assert NOTE in " ".join(text.split()) and ": more)" in text and ": less" not in text
    assert text.count("+14.8") == 1 and "**+14.8" not in text


def test_programs_are_told_which_differences_are_within_a_class(results: StudyResults) -> None:
    lines = list(csv.DictReader(io.StringIO(render(results, fmt="csv"))))
    assert [line["hiou_difference_is_within_class"] for line in lines] == ["", "True", "False"]
    value = json.loads(render(results, fmt="json"))
    assert [row["hiou_difference_is_within_class"] for row in value["rows"]] == [None, True, False]
    assert [NOTE in note["text"] for note in value["notes"] if note["mark"] == "\u2021"] == [True]


def test_tables_without_differences_and_of_one_class_have_no_mark(results: StudyResults) -> None:
    one_class = collect_results([row for row in results.rows if isinstance(row, Row) and row.label != "more"])
    assert "\u2021" not in render(one_class)


def test_a_report_gives_no_verdict_on_them(results: StudyResults) -> None:
    verdicts = judge_group(results.groups[0], wanted="paper", family=2, is_only=True)
    assert [verdict.outcome for verdict in verdicts.verdicts] == ["worse", "other-class"]
    assert "no verdict, as they are of two protocol classes" in verdicts.verdicts[1].claim
    assert (verdicts.num_decided, verdicts.num_other_class) == (1, 1)


def test_a_forest_plot_draws_them_gray_with_a_mark(results: StudyResults) -> None:
    less, more = collect_lines(results.groups[0])
    assert (less.label, more.label) == ("less", "more \u2021") and less.color != more.color


@pytest.mark.parametrize(
    ("fmt", "shown"), [("txt", r"'\foo'"), ("md", r"'\\foo'"), ("html", r"'\foo'"), ("tex", r"\textbackslash{}foo")]
)
def test_the_label_of_a_baseline_is_shown_as_it_is_written(fmt: str, shown: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    traits = {r"\foo": ProtocolClass(), "more": TRANSDUCTIVE}
    ids = {label: {0: save(store, spec_of(label), even(80, 60), traits=kind)} for label, kind in traits.items()}
    text = render(collect_results(read_rows(store, plan_of(ids))), fmt=fmt, width=None)
    assert text.count(shown) >= 2 and r"\\\\foo" not in text
    assert fmt == "md" or r"\\foo" not in text
    assert fmt != "tex" or r"\textbackslash{}\textbackslash{}" not in text
