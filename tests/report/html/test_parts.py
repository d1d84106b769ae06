"""Tests of the parts of a report: verdicts, SVG on a page, scores of images, commands, limits, published numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmark.core.plan import PlanRow
from benchmark.core.run_record import Failure
from benchmark.core.split import load_split
from benchmark.evaluation.counts import Counts
from benchmark.published.read import read_published
from benchmark.report.figures import shown_rows
from benchmark.report.html import figures
from benchmark.report.html.inline_svg import inline_svg
from benchmark.report.html.limits import list_limits
from benchmark.report.html.published_beside import lay_beside
from benchmark.report.html.report_table import spell_supervision
from benchmark.report.html.run_details import describe_row, make_command
from benchmark.report.html.score_maps import choose_widest, collect_scores, describe_uneven_rows
from benchmark.report.html.verdicts import judge_group
from benchmark.report.rows import read_rows
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.store.store import Store
from tests.report.html.pages import make_report, study_of_three
from tests.report.world import (
    SEEN_BY_SPLIT,
    even,
    hand_counts,
    plan_of,
    plan_splits,
    save,
    save_splits,
    spec_of,
    two_rows,
)

SVG = """<?xml version="1.0"?>
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt" height="36pt" viewBox="0 0 72 36">
 <metadata>date</metadata>
 <g id="figure_1"><path id="m1" d="M 0.123456 1.5 
L 2 3 
" style="stroke: #595959"/><use xlink:href="#m1" x="1.000" y="2"/></g>
</svg>"""


@pytest.fixture
def results(tmp_path: Path) -> StudyResults:
    store = Store(tmp_path)
    return collect_results(read_rows(store, two_rows(store)))


def test_a_part_that_a_row_lacks_gets_the_verdict(results: StudyResults) -> None:
    (verdict,) = judge_group(results.groups[0], wanted="paper", family=1, is_only=True).verdicts
    known = results.differences[1]
    assert known is not None and (verdict.outcome, verdict.claim) == ("better", "SGD helps")
    assert verdict.text.startswith(f"SGD helps: +{-known.paired.difference:.1f} [+")
    assert "95% interval over seeds and images; one split, 3 seeds, 4 images; p" in verdict.coverage


def test_an_interval_with_0_decides_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    seeds = {"paper": (60, 64, 62), "other": (63, 60, 64)}
    plan = plan_of(
        {
            label: {seed: save(store, spec_of(label, seed=seed), even(80, value)) for seed, value in enumerate(values)}
            for label, values in seeds.items()
        }
    )
    (verdict,) = judge_group(
        collect_results(read_rows(store, plan)).groups[0], wanted="paper", family=1, is_only=True
    ).verdicts
    assert (verdict.outcome, verdict.claim) == ("undecided", "other against paper: not decided")


def test_without_verdicts_the_true_reason_is_given(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failure = Failure(kind="ValueError", message="no luck", log_tail="")
    results: dict[str, Counts | Failure] = {"paper": even(80, 60), "lost": failure, "b": even(80, 50)}
    rows = read_rows(
        store, plan_of({label: {0: save(store, spec_of(label), result)} for label, result in results.items()})
    )

    def explain(labels: str, baseline: str = "paper") -> str:
        some = [row for row in rows if row.label in labels.split()]
        (group,) = collect_results(some, baseline=labels.split()[0]).groups
        named = next((row for row in group.rows if row.label == baseline), None)
        group = replace(group, baseline=named)
        return judge_group(group, wanted=baseline, family=1, is_only=True).obstacle

    assert explain("paper") == "there is no other row"
    assert explain("paper lost") == "no other row has a defined hIoU"
    assert explain("lost b", baseline="lost") == "the baseline has no result (failed)"
    assert explain("b lost") == "no row of this group is called paper"
    assert explain("paper b") == ""


def test_an_svg_is_compact_and_its_ids_are_its_own() -> None:
    text = inline_svg(SVG, prefix="f0-", label='a "figure"')
    assert text.startswith(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 72 36" width="96" height="48"'
    )
    assert 'aria-label="a &quot;figure&quot;"' in text and 'd="M0.12 1.5L2 3"' in text
    assert 'id="f0-m1"' in text and 'href="#f0-m1"' in text and "figure_1" not in text
    assert "var(--gray-59,#595959)" in text and "date" not in text


def test_the_images_with_the_largest_range_are_kept() -> None:
    scores = np.array([[10.0, 50.0, 20.0, np.nan], [10.0, 90.0, 40.0, 3.0]])
    assert choose_widest(scores, 2).tolist() == [1, 2]
    assert choose_widest(scores, 9).tolist() == [0, 1, 2]


def test_scores_of_classes_and_images_are_tenths(results: StudyResults) -> None:
    scores = collect_scores(results.groups[0], first=7)
    assert scores.rows == (7, 8) and scores.classes == ("grass", "water", "cup", "fish")
    seen, unseen = scores.class_scores[0]
    assert seen[2:] == [None, None] and unseen[:2] == [None, None]
    paper = results.rows[0].runs[0]
    assert len(scores.images) == 4 and paper.scores is not None
    assert all(0 <= value <= 1000 for value in scores.image_scores[0] if value is not None)


def test_a_command_names_splits_seeds_and_overrides() -> None:
    specs = [spec_of(seed=seed, overrides={"budget.iterations": 5, "a.b": [1, 2]}, max_images=9) for seed in (1, 0)]
    assert make_command(specs, runs=[("toybox", 1), ("toybox", 0), ("toybox@6-s0-00", 0)]) == (
        "chimera-bench run demo/paper --split toybox --split toybox@6-s0-00 --protocol plain --seed 0 --seed 1 "
        "--set 'a.b=[1, 2]' --set budget.iterations=5 --max-images 9"
    )
    assert make_command([], runs=[]) == ""


def test_details_of_a_row_over_splits_have_the_split_of_a_run_that_is_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = save_splits(store, "paper", {0: 60, 1: 50})
    store.run(rows[1].ids[0]).record_path.unlink()
    (group,) = collect_results(read_rows(store, plan_splits(rows, save_splits(store, "other", {0: 60, 1: 50})))).groups
    details = describe_row(group.rows[0])
    assert [run[:3] for run in details["runs"]][2:4] == [[rows[0].split, 2, "done"], [rows[1].split, 0, "missing"]]
    assert f"--split {rows[1].split} --protocol plain --seed 0 --seed 1 --seed 2" in details["command"]


def test_details_of_a_row_name_its_variant(results: StudyResults) -> None:
    facts = [describe_row(row)["facts"] for row in results.rows]
    assert [(fact["Method"], fact["Variant"]) for fact in facts] == [("demo: Demo", "paper"), ("demo: Demo", "no SGD")]


def test_rows_that_lack_splits_of_others_are_named_beside_their_differences(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = save_splits(store, "paper", {0: 60, 1: 50}), save_splits(store, "other", {0: 60, 1: 50})
    read = partial(read_rows, store, plan_splits(*rows))
    for run_id in rows[1][1].ids.values():
        store.run(run_id).record_path.unlink()
    assert "from other rows: other (1 of 2 splits). chimera" in describe_uneven_rows(collect_results(read()).groups)
    for run_id in rows[0][1].ids.values():  # now no row has results on the second split
        store.run(run_id).record_path.unlink()
    assert describe_uneven_rows(collect_results(read()).groups) == ""


def test_a_command_names_no_folder_of_a_machine() -> None:
    spec = spec_of(source="/elsewhere/my_method.py", source_digest="1", split_source="/elsewhere/mine.yaml@6-s0-00")
    command = make_command([spec], runs=[(spec.split, spec.seed)])
    assert command.startswith("chimera-bench run ./my_method.py/paper --split ./mine.yaml@6-s0-00 ")


def test_kinds_of_supervision_are_spelled() -> None:
    assert spell_supervision("all: seen_masks.") == "all: masks of seen classes."
    assert spell_supervision("seen_masks+unseen_names") == "masks of seen classes, names of unseen ones"
    assert spell_supervision("loss_seen_masks_x") == "loss_seen_masks_x"


def test_limits_name_seeds_splits_and_missing_runs(tmp_path: Path) -> None:
    store = Store(tmp_path)
    text = " ".join(make_report(store, study_of_three(store)).limits)
    assert "One choice of unseen classes" in text and "3 seeds per row and split" in text
    assert "1 planned run has no result" in text


@pytest.mark.parametrize("done", [1, 2])
def test_limits_and_summary_count_the_splits_with_results(done: int, tmp_path: Path) -> None:
    store, failure, rows = Store(tmp_path), Failure(kind="ValueError", message="no luck", log_tail=""), []
    for number, seen in enumerate(SEEN_BY_SPLIT):
        result = hand_counts([[80, 70, 60, 50]] * 4, seen=seen) if number < done else failure
        spec = spec_of(split=f"mine-{number}", split_digest=str(number))
        rows.append(PlanRow(label="paper", method="demo", split=spec.split, ids={0: save(store, spec, result)}))
    report = make_report(store, plan_splits(rows))
    text, words = report.limits[0], {1: "1 of 3 splits has results", 2: "2 of 3 splits have results"}[done]
    assert f"{done} of 3 runs done · {words} · up to" in report.summary and f"{words}. " in text
    begin = {1: "One choice of unseen classes", 2: "2 choices of unseen classes"}[done]
    assert text.startswith(begin) and ("2 of them are few: an interval rests on 2 values." in text) == (done > 1)


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [
        ((1, 1), "1 seed per row and split: the variation over seeds is not known."),
        ((1, 2), "1 to 2 seeds per row and split: the variation over seeds is not known where there is 1 seed, and"),
        ((2, 2), "2 seeds per row and split: the variation over seeds is known roughly."),
    ],
)
def test_of_a_single_seed_the_variation_over_seeds_is_not_known(
    seeds: tuple[int, int], sentence: str, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    ids = {
        label: {seed: save(store, spec_of(label, seed=seed), even(80, 60 + seed)) for seed in range(number)}
        for label, number in zip("ab", seeds, strict=True)
    }
    assert sentence in " ".join(list_limits(collect_results(read_rows(store, plan_of(ids)))))


def test_published_numbers_stand_beside_ours_on_their_split(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = save(store, spec_of(split="voc12", split_digest=load_split("voc12").digest()), even(80, 60))
    plan = plan_of({"paper": {0: run}})
    voc = plan.model_copy(update={"rows": (plan.rows[0].model_copy(update={"split": "voc12"}),)})
    (table,) = lay_beside(collect_results(read_rows(store, voc)), read_published())
    assert table.split == "voc12" and sum(row.is_own for row in table.rows) == 1
    assert any(row.label.startswith("ZegCLIP") for row in table.rows)
    assert (
        lay_beside(collect_results(read_rows(store, plan_of({"paper": {0: save(store, spec_of(), even(8, 6))}}))), ())
        == ()
    )


def test_figures_of_too_many_rows_show_the_first_ones_and_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    plan = plan_of({name: {0: save(store, spec_of(name), even(80, 60))} for name in "abcd"})
    (group,) = collect_results(read_rows(store, plan), baseline="d").groups
    monkeypatch.setattr(shown_rows, "MAX_ROWS", 2)
    for name in shown_rows.OTHER_LIMITS:
        monkeypatch.setitem(shown_rows.OTHER_LIMITS, name, 2)
    assert shown_rows.choose_rows(group, 2) == [0, 3]
    assert all("The first 2 rows; 2 more" in figure.caption for figure in figures.draw_figures([group], store))
