"""`table`, `plot`, `compare`, `export`: reports made from run records, without torch unless images are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import open_store, print_line, print_note
from benchmark.cli.options import AsJson
from benchmark.cli.report_options import (
    Baseline,
    BySplit,
    Convention,
    Digits,
    Names,
    NoNotes,
    OutFile,
    Sort,
    SplitFilter,
    Wide,
    choose_format,
    find_convention,
    find_metrics,
    find_plan,
    print_ambiguous,
    print_report,
    read_option,
    split_keys,
)

if TYPE_CHECKING:
    from benchmark.core.study import Plan
    from benchmark.report.study_results import StudyResults
    from benchmark.report.tables.selection import SelectedColumns
    from benchmark.store.store import Store

GIVE_ROW = "give the label of a row"


def table(
    context: typer.Context,
    names: Names,
    *,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, csv, json or tex.")] = "txt",
    split: SplitFilter = None,
    convention: Convention = "d2-main",
    baseline: Baseline = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="KEY,…", help="Columns to print, such as hiou,miou,hiou_rank,p_adjusted."),
    ] = None,
    sort: Sort = None,
    digits: Digits = 1,
    by_split: BySplit = False,
    no_notes: NoNotes = False,
    wide: Wide = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Print one table of studies, methods and runs, computed from run records."""
    from benchmark.report.tables.selection import select_columns
    from benchmark.report.tables.study_table import render
    from benchmark.report.tables.typeset import WIDTH

    store, fmt = open_store(context), choose_format(context, fmt, as_json=as_json)
    selected = select_columns(
        split_keys("--columns", columns), sort=read_option("--sort", sort, "give KEY or KEY,desc")
    )
    reference = read_option("--baseline", baseline, GIVE_ROW)
    plan = find_plan(store, names, split)
    results = collect_table(store, plan, selected, convention=convention, baseline=reference, is_by_split=by_split)
    width = None if wide else WIDTH
    text = render(
        results, fmt=fmt, title=plan.title, columns=selected, digits=digits, width=width, has_notes=not no_notes
    )
    print_report(text, fmt=fmt, out=out)
    print_ambiguous(store, names)


def collect_table(
    store: Store,
    plan: Plan,
    columns: SelectedColumns,
    *,
    convention: str = "d2-main",
    baseline: str = "",
    is_by_split: bool = False,
) -> StudyResults:
    """Return the results of a plan for a table with these columns, in their order.

    Args:
        store: Store that holds the runs.
        plan: Plan of the rows.
        columns: Columns of the table.
        convention: Name of the convention of the scores.
        baseline: Row that the others are compared with; if empty, the plan's.
        is_by_split: Whether every split is a group of its own, see `study_results.collect_results`.

    Raises:
        KeyError: A name is unknown; the message suggests the nearest.
    """
    from benchmark.report.rows import read_rows
    from benchmark.report.study_results import collect_results
    from benchmark.report.tables.study_table import sort_results

    rows = read_rows(store, plan, convention=find_convention(convention), metrics=columns.metrics)
    reference = baseline or plan.baseline
    results = collect_results(rows, baseline=reference, has_ranks=columns.has_ranks, is_by_split=is_by_split)
    return sort_results(results, columns)


def print_table(store: Store, plan: Plan) -> None:
    """Print the table of a study as text."""
    from benchmark.report.tables.selection import DEFAULT
    from benchmark.report.tables.study_table import render

    print_line(render(collect_table(store, plan, DEFAULT), title=plan.title).rstrip("\n"))


def plot(
    context: typer.Context,
    names: Names,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.", file_okay=False)],
    *,
    split: SplitFilter = None,
    convention: Convention = "d2-main",
    baseline: Baseline = None,
    sort: Sort = None,
    formats: Annotated[
        str | None, typer.Option("--format", "-f", metavar="KEY,…", help="png, pdf and svg; default: png,pdf.")
    ] = None,
    images: Annotated[
        bool, typer.Option("--images", help="Also draw segmentations, predicted from checkpoints.")
    ] = False,
    select: Annotated[
        str | None,
        typer.Option(
            "--select",
            metavar="WHICH",
            help="Images to draw segmentations of, implies --images: targets (the default), 'difference:ROW' (largest "
            "difference from the baseline), 'first N', or ids with commas.",
        ),
    ] = None,
) -> None:
    """Draw the figures of studies, methods and runs; of several splits, each in a folder of its own."""
    store = open_store(context)
    plan = find_plan(store, names, split)
    reference = read_option("--baseline", baseline, GIVE_ROW)
    order = read_option("--sort", sort, "give KEY or KEY,desc")
    keys = split_keys("--format", formats)
    chosen = read_option("--select", select, "give targets, 'difference:ROW', 'first N', or ids with commas")
    if images or chosen:
        check_segmentations(store, plan, select=chosen, baseline=reference)
    for path in write_figures(store, plan, out, convention=convention, baseline=reference, sort=order, formats=keys):
        print_line(str(path))
    if images or chosen:
        for path in write_segmentations(store, plan, out, select=chosen, baseline=reference, formats=keys):
            print_line(str(path))
    print_ambiguous(store, names)


def write_figures(
    store: Store,
    plan: Plan,
    out: Path,
    *,
    convention: str = "d2-main",
    baseline: str = "",
    sort: str = "",
    formats: Sequence[str] = (),
) -> list[Path]:
    """Draw the figures of a study that need only its records, print what is left out, and return the files."""
    from benchmark.report.figures.study_figures import describe_left_out, draw_all
    from benchmark.report.figures.style import FORMATS, check_formats
    from benchmark.report.tables.selection import select_columns

    check_formats(formats)
    results = collect_table(store, plan, select_columns((), sort=sort), convention=convention, baseline=baseline)
    out.mkdir(parents=True, exist_ok=True)
    for text in describe_left_out(results):
        print_note(text)
    return draw_all(results, store, out, formats=formats or FORMATS)


def write_segmentations(
    store: Store, plan: Plan, out: Path, *, select: str = "", baseline: str = "", formats: Sequence[str] = ()
) -> list[Path]:
    """Draw predictions for a few images, print which rows are left out, and return the files."""
    from benchmark.cli.predict import predict_row
    from benchmark.qualitative.gallery import draw_gallery
    from benchmark.report.figures.style import FORMATS

    paths: list[Path] = []
    for part in _list_parts(plan):
        folder = out if len(plan.splits) == 1 else out / part.rows[0].split
        gallery = draw_gallery(
            store,
            part,
            folder,
            select=select,
            baseline=baseline,
            predict=predict_row,
            formats=formats or FORMATS,
        )
        paths += gallery.paths
        for label, reason in gallery.left_out.items():
            print_note(f"no segmentations of {label}: {reason}")
        if gallery.choice is not None:
            print_note(gallery.choice.text)
    return paths


def check_segmentations(store: Store, plan: Plan, *, select: str, baseline: str) -> None:
    """Check that the images of segmentations can be chosen, before anything is drawn.

    Raises:
        KeyError: A row or image is unknown.
        ValueError: No image can be chosen as asked.
    """
    from benchmark.qualitative.gallery import choose_sheet

    for part in _list_parts(plan):
        choose_sheet(store, part, select=select, baseline=baseline)


def _list_parts(plan: Plan) -> list[Plan]:
    """Return one plan per split."""
    return [
        plan.model_copy(update={"rows": tuple(row for row in plan.rows if row.split == split)}) for split in plan.splits
    ]


def compare(
    context: typer.Context,
    a: Annotated[
        str, typer.Argument(metavar="A", help="METHOD/VARIANT, run, runs of several seeds, or row of a study.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="Reference for A, named in the same way.")],
    *,
    study: Annotated[str | None, typer.Option("--study", help="Study whose rows A and B may name.")] = None,
    split: SplitFilter = None,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, csv, tex or json.")] = "txt",
    convention: Convention = "d2-main",
    margin: Annotated[
        float | None,
        typer.Option("--margin", metavar="POINTS", help="Difference that does not matter; tests A against it."),
    ] = None,
    metrics: Annotated[
        str | None, typer.Option("--metrics", metavar="KEY,…", help="Scores to compare, such as hiou,miou_image.")
    ] = None,
    digits: Digits = 1,
    no_notes: NoNotes = False,
    wide: Wide = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare two methods, image by image."""
    from benchmark.report.comparison import compare_runs, find_runs
    from benchmark.report.named_rows import make_plan
    from benchmark.report.tables.comparison_table import render
    from benchmark.report.tables.typeset import WIDTH

    store, fmt = open_store(context), choose_format(context, fmt, as_json=as_json)
    place, wanted = read_option("--split", split, "give the name of a split"), split_keys("--metrics", metrics)
    plan = make_plan(store, [study], split=place) if study is not None else None
    (label_a, runs_a), (label_b, runs_b) = (find_runs(store, text, plan=plan, split=place) for text in (a, b))
    comparison = compare_runs(
        store,
        runs_a,
        runs_b,
        labels=(label_a, label_b) if label_a != label_b else (a, b),  # such as a method and a file called like it
        convention=find_convention(convention),
        margin=margin,
        metrics=find_metrics(wanted),
    )
    width = None if wide else WIDTH
    print_report(render(comparison, fmt=fmt, digits=digits, width=width, has_notes=not no_notes), fmt=fmt, out=out)


def export(
    context: typer.Context,
    names: Names,
    out: Annotated[Path, typer.Option("--out", help="File to write: .csv, .json or .parquet.", dir_okay=False)],
    *,
    split: SplitFilter = None,
    convention: Convention = "d2-main",
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Write a line per run, image, class and metric.")
    ] = False,
) -> None:
    """Write the results of studies, methods and runs in long format: a line per run, class and metric."""
    from benchmark.report.export import load_frame, write_frame

    store = open_store(context)
    plan = find_plan(store, names, split)
    frame = load_frame(store, plan, convention=find_convention(convention), is_per_image=per_image)
    write_frame(frame, out)
    print_note(f"wrote {out} ({len(frame)} lines)")
    print_ambiguous(store, names)
