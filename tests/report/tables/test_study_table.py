"""Tests of a study's table in its five formats: content, marks, and equal bytes for equal runs."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.protocol import Protocol
from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.report.rows import Row, read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.formats import FORMATS
from benchmark.report.tables.layout import TableNote, assign_marks, spell_mark
from benchmark.report.tables.study_table import render as render_results
from benchmark.store.store import Store
from tests.core.machines import make_environment
from tests.report.world import BUDGET, even, hand_counts, plan_of, save, spec_of, two_rows

WORDS = (
    "Split toybox",
    "convention d2-main",
    "gamma of the seen classes: none",
    "95% interval over seeds and images (Student's t, Satterthwaite's degrees of freedom;",
    "95% jackknife interval over the images alone",
    "600 iterations of 16 images",
    "on the same images",
    "From 7 runs",
)


def make_rows(store: Store, **right: tuple[int, int]) -> list[Row]:
    """Return one row per keyword, of one seed, with these numbers of correct pixels of seen and unseen classes."""
    ids = {label: {0: save(store, spec_of(label), even(*counts))} for label, counts in right.items()}
    return read_rows(store, plan_of(ids))


def render(rows: list[Row], *, baseline: str = "", **options: Any) -> str:
    """Return the table of rows with their differences to the baseline."""
    return render_results(collect_results(rows, baseline=baseline), **options)


def find_line(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if line.startswith((f"| {label}", f"{label} ", f"    {label} ")))


@pytest.mark.parametrize("fmt", FORMATS)
def test_equal_runs_give_equal_bytes(tmp_path: Path, fmt: str) -> None:
    stores = [Store(tmp_path / "one"), Store(tmp_path / "elsewhere")]
    save(stores[1], spec_of("stray"), even(1, 1))
    one, other = (render(read_rows(store, two_rows(store)), fmt=fmt, title="Demo") for store in stores)
    assert one == other and one.endswith("\n")
    assert str(tmp_path) not in one


def test_a_row_has_scores_interval_difference_cost_and_seeds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = render(read_rows(store, two_rows(store)), fmt="md")
    fields = [field.strip() for field in find_line(text, "no SGD").split("|")[1:-1]]
    # U: 40 to 43 correct pixels on 4 images give a standard error of 0.253 and 3 degrees of freedom, t = 3.18
    assert fields[2:5] == ["25.6 ±0.8", "37.1 ±0.8", "3"]
    assert fields[5].startswith("-15.9 \\[-")
    assert fields[6:] == ["\\<0.001", "0.25", "0.250 / 14.0", "2.50", "4.00", "12.5"]


def test_the_best_is_bold_and_so_are_ties_as_printed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    close = hand_counts([[80, 80, 50, 50]] * 3 + [[81, 80, 50, 50]])
    ids = {"one": {0: save(store, spec_of("one"), even(80, 60))}, "two": {0: save(store, spec_of("two"), close)}}
    rows = read_rows(store, plan_of(ids))
    whole, exact = (render(rows, fmt="md", digits=digits) for digits in (0, 2))
    assert "**67**" in find_line(whole, "one") and "**67**" in find_line(whole, "two")
    assert "**66.67**" not in find_line(exact, "one") and "**66.84**" in find_line(exact, "two")


def test_kinds_of_supervision_are_not_ranked_against_each_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {
        label: {0: save(store, spec_of(label), even(*right))} for label, right in {"a": (50, 50), "b": (60, 60)}.items()
    }
    ids["more"] = {0: save(store, spec_of("more"), even(90, 90), supervision="seen_masks+unseen_names")}
    text = render(read_rows(store, plan_of(ids)), fmt="md")
    assert "**" in find_line(text, "b") and "**" not in find_line(text, "a") + find_line(text, "more")
    assert "Supervision" in text and "kinds of supervision are not ranked against each other" in text


def test_a_row_with_missing_runs_does_not_compete(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {
        label: {0: save(store, spec_of(label), even(*right))} for label, right in {"a": (50, 50), "b": (60, 60)}.items()
    }
    for label, count in {"best": 90, "equal": 60}.items():
        ids[label] = {0: save(store, spec_of(label), even(count, count)), 1: spec_of(label, seed=1).id}
    text = render(read_rows(store, plan_of(ids)), fmt="md")
    assert "**" in find_line(text, "b") and "| 1/2 |" in find_line(text, "best")
    assert "**" not in find_line(text, "best") + find_line(text, "equal")


def test_failed_and_missing_runs_are_rows_with_reasons(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failure = Failure(kind="OutOfMemoryError", message="tried to allocate 2 GiB")
    ids = {"fine": {0: save(store, spec_of("fine"), even(50, 50))}, "lost": {0: save(store, spec_of("lost"), failure)}}
    rows = read_rows(store, plan_of(ids | {"never": {0: spec_of("never").id}}))
    text = render(rows, fmt="txt")
    assert find_line(text, "lost").split()[1:8] == ["(c)", "-", "-", "failed", "0/1", "-", "-"]
    assert "c: seed 0 failed: OutOfMemoryError: tried to allocate 2 GiB" in text
    assert "missing" in find_line(text, "never") and "d: seed 0 missing" in text


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_study_without_any_result_still_has_a_table(tmp_path: Path, fmt: str) -> None:
    rows = read_rows(Store(tmp_path), plan_of({"never": {0: spec_of("never").id, 1: spec_of("never", seed=1).id}}))
    text = render(rows, fmt=fmt)
    assert "missing" in text and spec_of("never").id in render(rows, fmt="csv")


def test_notes_prevent_misreading_the_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {row.label: row.ids for row in two_rows(store).rows}
    free = spec_of("free", budget=BUDGET.model_copy(update={"iterations": 0}))
    ids["free"] = {0: save(store, free, even(40, 40), reconstruction="the head is ours.")}
    text = render(read_rows(store, plan_of(ids)), fmt="md")
    for words in WORDS:
        assert words in text
    marks = {line.split("</sup> ")[1] for line in text.splitlines() if line.startswith("- <sup>")}
    assert {"Reconstruction: the head is ours", "no training"} <= marks


def test_rows_with_the_same_note_share_its_letter() -> None:
    marks, notes = assign_marks([["ours"], [], ["free", "ours"]])
    assert marks == [("a",), (), ("b", "a")]
    assert notes == [TableNote("ours", "a"), TableNote("free", "b")]
    assert [spell_mark(number) for number in (0, 25, 26, 27)] == ["a", "z", "aa", "ab"]


def test_an_undefined_score_is_not_a_number(tmp_path: Path) -> None:
    store = Store(tmp_path)
    counts = replace(even(80, 60), seen=(True,) * 4)
    rows = read_rows(store, plan_of({"row": {0: save(store, spec_of(), counts)}}))
    assert find_line(render(rows, fmt="md"), "row").split(" | ")[2:4] == ["n/a", "n/a"]
    assert json.loads(render(rows, fmt="json"))["rows"][0]["hiou"] is None
    assert next(csv.DictReader(io.StringIO(render(rows, fmt="csv"))))["hiou"] == ""


def test_stale_runs_are_marked(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = two_rows(store)
    ids = {"paper": plan.rows[0].ids, "older": {}}
    for seed in (0, 1):
        ids["older"][seed] = save(store, spec_of("old", seed=seed), even(50, 50), code={"methods/maskclip.py": "1"})
    text = render(read_rows(store, plan_of(ids)))
    assert "seeds 0, 1 stale: methods/maskclip.py changed" in text and text.count("stale") == 1
    text = render(read_rows(store, plan_of(ids)), has_notes=False)
    assert "a: seeds 0, 1 stale: methods/maskclip.py changed" in text and "older (a)" in text


def test_a_table_whose_results_are_all_stale_says_so_once_with_the_changes_that_all_share(tmp_path: Path) -> None:
    store, older = Store(tmp_path), {"methods/maskclip.py": "1"}
    ids = {
        name: {0: save(store, spec_of(name), even(50, 50), code=older | extra)}
        for name, extra in (("old", {"methods/naclip.py": "1"}), ("older", {}))
    }
    text = render(read_rows(store, plan_of(ids)), has_notes=False)
    assert "All results are stale, and may be others now: methods/maskclip.py changed.\n" in text
    assert text.count("stale") == 1


def test_a_limited_evaluation_is_marked_as_testing_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = read_rows(store, plan_of({"row": {0: save(store, spec_of(max_images=4), even(50, 50))}}))
    assert "TESTING ONLY: scored on the first 4 images" in render(rows, fmt="txt")


def test_csv_and_json_trace_every_row_to_its_runs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = two_rows(store)
    rows = read_rows(store, plan)
    lines = list(csv.DictReader(io.StringIO(render(rows, fmt="csv"))))
    table = json.loads(render(rows, fmt="json"))
    for index, row in enumerate(plan.rows):
        assert lines[index]["run_ids"].split() == list(row.ids.values())
        assert [run["run_id"] for run in table["rows"][index]["runs"]] == list(row.ids.values())
    assert float(lines[0]["miou_seen"]) == table["rows"][0]["miou_seen"] == pytest.approx(67.365028)
    run = table["rows"][0]["runs"][0]
    iou = [run[f"iou/{name}"] for name in table["classes"]]
    assert iou == pytest.approx([100 * 80 / 120] * 2 + [100 * 61.5 / 140, 100 * 60 / 138.5], abs=1e-5)
    assert (table["convention"], table["gamma"], lines[0]["gamma"]) == ("d2-main", 0.0, "0.0")


def test_json_lists_the_source_files_of_each_code_once(tmp_path: Path) -> None:
    store, old, new = Store(tmp_path), {"benchmark/engine/base.py": "1"}, {"benchmark/engine/base.py": "2"}
    codes = {0: old, 1: old, 2: new}
    ids = {seed: save(store, spec_of(seed=seed), even(80, 60), code=code) for seed, code in codes.items()}
    table = json.loads(render(read_rows(store, plan_of({"paper": ids})), fmt="json"))
    runs = table["rows"][0]["runs"]
    assert [table["code"][run["code_digest"]] for run in runs] == list(codes.values())
    assert len(table["code"]) == 2


def test_every_format_names_the_gamma_of_the_runs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = save(store, spec_of(protocol=Protocol(gamma=0.1)), even(80, 60))
    rows = read_rows(store, plan_of({"one": {0: run}}))
    assert "gamma of the seen classes: 0.1 subtracted from their softmax" in " ".join(render(rows).split())
    assert json.loads(render(rows, fmt="json"))["gamma"] == 0.1
    assert next(csv.DictReader(io.StringIO(render(rows, fmt="csv"))))["gamma"] == "0.1"


def test_latex_escapes_special_characters_of_labels(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = render(
        read_rows(store, plan_of({"a_b & 50% {#1}": {0: save(store, spec_of(), even(50, 50))}})), fmt="tex", title="x^2"
    )
    assert r"a\_b \& 50\% \{\#1\}" in text and r"\caption{x\textasciicircum{}2}" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\bottomrule") == 1


def test_wrong_requests_are_refused_with_help(tmp_path: Path) -> None:
    rows = make_rows(Store(tmp_path), one=(80, 60))
    with pytest.raises(KeyError, match="no table format 'latex'"):
        render(rows, fmt="latex")
    with pytest.raises(ValueError, match="no rows to draw"):
        render([])


def test_a_table_needs_neither_torch_nor_pandas_nor_matplotlib() -> None:
    modules = "benchmark.report.frame, benchmark.report.tables.study_table, benchmark.report.tables.comparison_table"
    code = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "pandas", "matplotlib", "seaborn"} & set(loaded)


def test_a_failed_row_has_no_difference_and_says_so_while_the_others_keep_theirs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {row.label: row.ids for row in two_rows(store).rows}
    ids["lost"] = {0: save(store, spec_of("lost"), Failure(kind="ValueError", message="torn"))}
    text = render(read_rows(store, plan_of(ids)), fmt="md")
    worse, lost = (find_line(text, label).split(" | ") for label in ("no SGD", "lost"))
    assert worse[5].startswith("-15.9 ") and worse[6] == "\\<0.001"
    assert lost[:7] == ["| lost<sup>a,b</sup>", "-", "-", "failed", "0/1", "-", "-"]
    assert "</sup> seed 0 failed: ValueError: torn" in text and "</sup> no ΔhIoU and p: no run is done" in text


def test_a_baseline_without_a_result_is_named_in_a_note(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {"lost": {0: save(store, spec_of("lost"), Failure(kind="ValueError", message="torn"))}}
    ids |= {label: {0: save(store, spec_of(label), even(80, 60))} for label in ("one", "two")}
    rows = read_rows(store, plan_of(ids))
    text, other = (" ".join(render(rows, baseline=name).split()) for name in ("", "one"))
    assert "No ΔhIoU and p: the baseline 'lost' has no finished run (failed)" in text
    assert "ΔhIoU: difference from 'one'" in other and "No ΔhIoU" not in other


def test_a_row_that_lacks_seeds_says_which_are_compared(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = read_rows(store, two_rows(store))
    missing = replace(rows[1].runs[2], scores=None, counts=None, record=None, state=RunState.MISSING, problem="missing")
    text = render([rows[0], replace(rows[1], runs=(*rows[1].runs[:2], missing))])
    assert "seed 2 missing" in text and "two seeds: unreliable" in text


def test_a_deterministic_row_has_one_run_and_no_variation_over_seeds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {row.label: row.ids for row in two_rows(store).rows}
    ids["free"] = {0: save(store, spec_of("free"), even(40, 40), is_deterministic=True)}
    rows = read_rows(store, plan_of(ids))
    assert "1 (det.)" in find_line(render(rows), "free") and "±" not in find_line(render(rows), "free")
    assert "det.: deterministic" in render(rows)
    fields = list(csv.DictReader(io.StringIO(render(rows, fmt="csv"))))
    assert [row["is_deterministic"] for row in fields] == ["False", "False", "True"]


def test_the_least_p_of_so_few_seeds_stands_beside_p_with_a_warning(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = render(read_rows(store, two_rows(store)), fmt="md")
    assert text.splitlines()[0].split(" | ")[7] == "least p"
    assert find_line(text, "no SGD").split(" | ")[7] == "0.25"  # 2 of 2^3 flips of signs
    assert "Too few seeds for an exact test: its p cannot go below 0.25" in " ".join(text.split())


def test_different_arithmetic_is_noted_on_the_row_and_for_the_table(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {row.label: row.ids for row in two_rows(store).rows}
    assert "arithmetic" not in render(read_rows(store, plan_of(ids)))
    other = make_environment(cpu_capability="AVX512")
    ids["elsewhere"] = {0: save(store, spec_of("elsewhere"), even(50, 50), environment=other)}
    text = " ".join(render(read_rows(store, plan_of(ids))).split())
    assert "computed under torch AVX512" in text
    assert "Runs were computed under 2 kinds of arithmetic (torch AVX2" in text


def test_a_checkpoint_continued_under_other_arithmetic_is_noted_on_its_row(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = save(store, spec_of(seed=4), even(80, 60), continued_from=("torch AVX512, 1 thread",))
    text = " ".join(render(read_rows(store, plan_of({"row": {4: run}}))).split())
    assert "seed 4 was continued under other arithmetic (torch AVX512, 1 thread; then torch AVX2" in text
