"""Tables of papers: cells, verdicts, places, looks and formats, from stores whose scores can be worked out by hand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.paper import Paper, PaperTable
from benchmark.core.paper_tables import NamedTable
from benchmark.core.plan import PlanRow
from benchmark.core.protocol_class import ProtocolClass
from benchmark.core.run_record import Failure
from benchmark.core.split import load_split
from benchmark.core.table_name import TableName
from benchmark.evaluation.stats import Interval
from benchmark.published.published_row import PublishedRow
from benchmark.published.read import read_published
from benchmark.report.html.published_beside import lay_beside
from benchmark.report.papers.missing import describe_missing
from benchmark.report.papers.paper_provenance import render_provenance
from benchmark.report.papers.paper_results import PaperResults, collect_paper
from benchmark.report.papers.paper_table import render_paper
from benchmark.report.papers.places import Candidate, find_places
from benchmark.report.papers.published_match import compare_with_published
from benchmark.report.result_row import Estimate
from benchmark.report.tables.formats import FORMATS
from benchmark.report.tables.selection import select_columns
from benchmark.store.store import Store
from tests.report.world import even, save, save_splits, spec_of

VOC: dict[str, Any] = {"split": "voc12", "split_digest": load_split("voc12").digest()}


def make_named(rows: Sequence[dict[str, Any]], **changes: Any) -> NamedTable:
    """Return a table of these rows on VOC, with inductive published numbers."""
    fields: dict[str, Any] = {
        "title": "main",
        "setting": "inductive",
        "datasets": [{"label": "VOC", "split": "voc12"}],
        "rows": list(rows),
        "columns": ["miou_seen", "miou_unseen", "hiou", "runs_done"],
    }
    table = PaperTable.model_validate(fields | changes)
    paper = Paper(name="p", title="Paper", citation="none", source="ours", tables={"main": table})
    return NamedTable(TableName("p", "main"), paper, table)


def save_row(
    store: Store,
    label: str,
    seen: int,
    unseen: int,
    *,
    seeds: int = 3,
    place: dict[str, Any] | None = None,
    **changes: Any,
) -> PlanRow:
    """Save runs of a row on VOC or another place, with one more correct pixel by seed; return the planned row."""
    ids = {
        seed: save(store, spec_of(label, seed=seed, **(place or VOC)), even(seen + seed, unseen + seed), **changes)
        for seed in range(seeds)
    }
    return PlanRow(label=label, method="demo", split="voc12", ids=ids)


def draw(results: PaperResults, fmt: str = "txt", **options: Any) -> str:
    """Return a table as text."""
    return render_paper(results, select_columns(results.named.table.columns), fmt=fmt, width=None, **options)


ZEGCLIP = {"label": "ZegCLIP", "method": "demo", "published": "ZegCLIP"}


def test_an_empty_store_gives_missing_cells_beside_the_published_numbers(tmp_path: Path) -> None:
    text = draw(collect_paper(Store(tmp_path), make_named([ZEGCLIP]), []))
    line = next(line for line in text.splitlines() if line.startswith("ZegCLIP"))
    assert line.split() == ["ZegCLIP", "missing", "-", "-", "0/3", "91.9", "/", "77.8", "/", "84.3"]


def test_a_result_has_a_difference_and_a_verdict(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = save_row(store, "ZegCLIP", 95, 80)
    results = collect_paper(store, make_named([ZEGCLIP]), [row])
    cell = results.cells[0][0]
    assert cell.row is not None and cell.verdict is not None
    hiou = cell.row.estimates["hiou"].mean
    assert cell.verdict.difference == pytest.approx(hiou - 84.3)
    assert f"{hiou - 84.3:+.1f}" in draw(results) and "below" in cell.verdict.text


def _published(**changes: Any) -> PublishedRow:
    fields: dict[str, Any] = {
        "id": "x",
        "method": "X",
        "system": "X",
        "benchmark": "b",
        "dataset": "d",
        "dataset_title": "D",
        "split": "s",
        "traits": ProtocolClass(),
        "year": 2024,
        "source": "a table",
        "how_read": "README",
        "is_verified": True,
        "printed": {"hiou": 50.0},
    }
    return PublishedRow(**fields | changes)


@pytest.mark.parametrize(
    ("mean", "ends", "text"),
    [
        (50.0, (49.0, 51.0), "within the interval"),
        (51.0, (50.04, 52.0), "within the interval"),  # 50.0 is printed for up to 50.05
        (51.1, (50.1, 52.0), "1.1 above"),
        (46.9, (46.0, 47.8), "3.1 below"),
        (46.9, None, "3.1 below (no interval)"),
    ],
)
def test_verdicts_follow_from_the_interval(mean: float, ends: tuple[float, float] | None, text: str) -> None:
    interval = None if ends is None else Interval(ends[0], ends[1], 0.95, "seeds and images", 2.0)
    verdict = compare_with_published(Estimate(mean, interval), _published(), "hiou")
    assert verdict is not None and verdict.text == text


def test_numbers_of_other_splits_never_meet(tmp_path: Path) -> None:
    named = make_named(
        [{"label": "Cascade", "method": "demo", "published": "Cascade-CLIP"}],
        datasets=[{"label": "Context", "split": "pascal_context59"}],
    )
    assert collect_paper(Store(tmp_path), named, []).cells[0][0].published is None


def test_an_oracle_does_not_meet_a_published_number(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = save_row(store, "ZegCLIP", 95, 80, traits=ProtocolClass(vocabulary="image"))
    results = collect_paper(store, make_named([ZEGCLIP]), [row])
    text = draw(results)
    assert results.cells[0][0].verdict is None
    assert "not comparable" in text and "vocabulary at test: 'image' and 'all' (ours, published)" in text


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({**VOC, "max_images": 20}, "on the first 20 images alone"),
        ({**VOC, "split_digest": "5"}, "another split called 'voc12'"),
    ],
)
def test_other_images_or_another_split_of_the_name_do_not_meet_published_numbers(
    place: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    results = collect_paper(store, make_named([ZEGCLIP]), [save_row(store, "ZegCLIP", 95, 80, place=place)])
    assert results.cells[0][0].verdict is None and reason in results.cells[0][0].obstacle
    tables = lay_beside(results.study, read_published()) if results.study is not None else ()
    assert tables == ()


def test_the_best_values_are_those_of_a_class(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = [save_row(store, name, 90, unseen) for name, unseen in (("a", 60), ("b", 70), ("c", 50))]
    oracle = [save_row(store, name, 95, 90, traits=ProtocolClass(vocabulary="image")) for name in ("o",)]
    named = make_named([{"label": row.label, "method": "demo"} for row in (*rows, *oracle)])
    text = draw(collect_paper(store, named, [*rows, *oracle]), "md")
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
    assert "| **55.0**" in lines["b"] and "| <u>43.9</u>" in lines["a"] and "| 34.2 " in lines["c"]
    assert "**" not in lines["o"] and "This table mixes classes of methods" in text


def test_a_difference_from_a_baseline_of_another_class_is_marked_in_every_column(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = [save_row(store, "a", 90, 60), save_row(store, "b", 90, 50)]
    rows.append(save_row(store, "o", 95, 90, traits=ProtocolClass(vocabulary="image")))
    names = [{"label": row.label, "method": "demo"} for row in rows]
    results = collect_paper(store, make_named(names, columns=["hiou_difference", "p_adjusted"]), rows)
    lines = {line.split("|")[1].strip(): line for line in draw(results, "md").splitlines() if line.startswith("| ")}
    assert lines["o"].count("<sup>\u2021</sup>") == 2 and "\u2021" not in lines["a"] + lines["b"]
    assert "other vocabulary at test than 'a': o" in draw(results, "md", has_notes=False)
    known = {line["row"]: line["is_within_class"] for line in csv.DictReader(io.StringIO(draw(results, "csv")))}
    assert known == {"a": "", "b": "True", "o": "False"}


def test_places_are_shared_by_values_that_print_alike() -> None:
    candidates = [Candidate("k", 3.04, "3.0"), Candidate("k", 3.01, "3.0"), Candidate("k", 2.0, "2.0"), None]
    assert find_places(candidates) == [1, 1, 0, 0]
    assert find_places([Candidate("k", 3.0, "3"), Candidate("k", 2.0, "2"), Candidate("j", 9.0, "9")]) == [1, 2, 0]


def test_failed_and_incomplete_rows_look_different(tmp_path: Path) -> None:
    store = Store(tmp_path)
    whole = save_row(store, "whole", 90, 60)
    part = save_row(store, "part", 95, 70, seeds=2)
    part = part.model_copy(update={"ids": {**part.ids, 2: spec_of("part", seed=2, **VOC).id}})
    failed_id = save(store, spec_of("failed", **VOC), Failure(kind="OOM", message="out of memory"))
    failed = PlanRow(label="failed", method="demo", split="voc12", ids={0: failed_id})
    named = make_named([{"label": name, "method": "demo"} for name in ("whole", "part", "failed", "never")])
    text = draw(collect_paper(store, named, [whole, part, failed]), "html")
    assert '<em class="failed">failed</em>' in text and '<em class="missing">missing</em>' in text
    assert '<em class="incomplete">' in text and "out of memory" in text
    (note,) = describe_missing(collect_paper(store, named, [whole, part, failed]))
    assert note.startswith(
        "VOC: 5 of 10 runs missing (1 failed). To compute them: chimera-bench run p/main --split voc12 "
    )
    assert "--split voc12 --retry-failed (or submit)" in note


def test_a_row_over_several_splits_is_one_cell(tmp_path: Path) -> None:
    source, store = Store(tmp_path / "elsewhere"), Store(tmp_path / "here")
    plan = save_splits(source, "ours", {0: 10, 1: 20, 2: 30})
    resampled = {"of": "toybox", "count": 3, "unseen": 2}
    named = make_named([{"label": "ours", "method": "demo"}], datasets=[{"label": "Toybox", "resampled": resampled}])
    moved = []
    for row, split in zip(plan, named.table.datasets[0].splits, strict=True):
        ids = {seed: _move(source, store, run_id, split) for seed, run_id in row.ids.items()}
        moved.append(row.model_copy(update={"split": split, "ids": ids}))
    results = collect_paper(store, named, moved)
    assert results.cells[0][0].row is not None and len(results.cells[0][0].row.runs) == 9
    assert "3 x 3" in draw(results)


def test_means_are_taken_within_a_dataset_and_not_beyond(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = save_splits(store, "ours", {0: 10, 1: 20, 2: 30})
    drawn = {"label": "Drawn", "resampled": {"of": "toybox", "count": 3, "unseen": 2, "include": plan[2].split}}
    first = {"label": "First", "split": plan[2].split}
    results = collect_paper(store, make_named([{"label": "ours", "method": "demo"}], datasets=[first, drawn]), plan)
    one, three = (cell.row for cell in results.cells[0])
    assert one is not None and three is not None and (len(one.done), len(three.done)) == (3, 9)
    assert "From 9 runs" in draw(results)


def _move(source: Store, store: Store, run_id: str, split: str) -> str:
    """Save a run of another store on another split; return its ID."""
    folder = source.run(run_id)
    record = folder.read_snapshot().record
    assert record is not None
    counts = folder.read_counts(record)
    return save(store, record.spec.model_copy(update={"split": split}), counts)


def test_every_format_is_the_same_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows = [save_row(store, "ZegCLIP", 95, 80), save_row(store, "other", 90, 70)]
    named = make_named([ZEGCLIP, {"label": "other", "method": "demo", "section": "Others & more"}])
    first, second = ([draw(collect_paper(store, named, rows), fmt) for fmt in FORMATS] for _ in range(2))
    assert first == second and len(set(first)) == len(FORMATS)


def test_csv_and_json_have_a_line_per_row_dataset_and_metric(tmp_path: Path) -> None:
    store = Store(tmp_path)
    results = collect_paper(store, make_named([ZEGCLIP]), [save_row(store, "ZegCLIP", 95, 80)])
    lines = list(csv.DictReader(io.StringIO(draw(results, "csv"))))
    assert [line["metric"] for line in lines] == ["miou_seen", "miou_unseen", "hiou"]
    assert lines[2]["published"] == "84.3" and "below" in lines[2]["verdict"] and len(lines[2]["run_ids"].split()) == 3
    value = json.loads(draw(results, "json"))
    assert value["lines"][2]["published_id"].startswith("gzss/zegclip") and value["table"] == "p/main"


def test_latex_has_groups_sections_and_ticks(tmp_path: Path) -> None:
    named = make_named(
        [{"label": "a_b", "method": "demo", "parts": ["CSH"], "section": "Ours & theirs"}, ZEGCLIP],
        parts=["CSH", "SGD"],
    )
    text = draw(collect_paper(Store(tmp_path), named, []), "tex")
    assert r"\multirow{2}{*}{Method}" in text and r"\multicolumn{5}{c}{VOC}" in text and r"\cmidrule(lr){4-8}" in text
    assert r"\textit{Ours \& theirs}" in text and r"a\_b & $\checkmark$ &  &" in text and "multirow,amssymb" in text


def test_provenance_names_every_run_and_published_number(tmp_path: Path) -> None:
    store = Store(tmp_path)
    row = save_row(store, "ZegCLIP", 95, 80)
    text = render_provenance(collect_paper(store, make_named([ZEGCLIP]), [row]))
    assert all(run_id in text for run_id in row.ids.values()) and "gzss/zegclip" in text and "verified" in text
