"""`table`, `compare`, `export`: reports made from run records, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import open_store, print_note, print_result
from benchmark.cli.indexed_reports import find_sources, list_split_files, print_indexed_report
from benchmark.cli.options import AsJson, NoIndex, list_given
from benchmark.cli.out_files import OutFile, Overwrite, make_out_file
from benchmark.cli.report_options import (
    GIVE_KEY,
    Baseline,
    BySplit,
    Convention,
    Digits,
    Names,
    NoNotes,
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
    refuse_options,
    split_keys,
)

if TYPE_CHECKING:
    from benchmark.core.plan import Plan
    from benchmark.report.study_results import StudyResults
    from benchmark.report.tables.selection import SelectedColumns
    from benchmark.store.index.report_index import Report
    from benchmark.store.store import Store

GIVE_ROW = "give the label of a row"


def table(
    context: typer.Context,
    names: Names,
    *,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, csv, json, tex or html.")] = "txt",
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
    provenance: Annotated[
        bool, typer.Option("--provenance", help="Of a paper's table: print every run and published number behind it.")
    ] = False,
    no_notes: NoNotes = False,
    wide: Wide = False,
    out: OutFile = None,
    overwrite: Overwrite = False,
    no_index: NoIndex = False,
    as_json: AsJson = False,
) -> None:
    """Print one table of studies, methods and runs, or a paper's table (PAPER/TABLE), computed from run records."""
    from benchmark.cli.paper_tables import print_paper_table

    store, fmt = open_store(context), choose_format(context, fmt, as_json=as_json)
    if _is_paper_table(store, names):
        return print_paper_table(context, store, names[0], fmt=fmt)
    refuse_options(context, ["provenance"], " ".join(names))

    def draw() -> Report:
        from benchmark.report.named_rows import describe_ambiguous
        from benchmark.report.tables.selection import select_columns
        from benchmark.report.tables.study_table import render
        from benchmark.report.tables.typeset import WIDTH
        from benchmark.store.index.report_index import Report

        selected = select_columns(split_keys("--columns", columns), sort=read_option("--sort", sort, GIVE_KEY))
        reference = read_option("--baseline", baseline, GIVE_ROW)
        plan = find_plan(store, names, split)
        results = collect_table(store, plan, selected, convention=convention, baseline=reference, is_by_split=by_split)
        width, title, has_notes = None if wide else WIDTH, plan.title, not no_notes
        text = render(results, fmt=fmt, title=title, columns=selected, digits=digits, width=width, has_notes=has_notes)
        closing, files = tuple(describe_ambiguous(store, names)), list_split_files(results.rows)
        return Report(text, closing_notes=closing, files=files)

    return print_indexed_report(context, store, fmt=fmt, sources=find_sources(store, names), draw=draw)


def _is_paper_table(store: Store, names: Sequence[str]) -> bool:
    """Return whether names are that of a paper's table, which stands alone.

    Raises:
        ValueError: One of several is; the message says what to give.
    """
    from benchmark.core.paper_tables import is_table, read_name
    from benchmark.store.named_plans import select_plans

    papers = [name for name in names if "/" in name and is_table(name)]
    if papers and len(names) > 1:
        parts = [select_plans(store, name) or [read_name(name).plan] if name in papers else [name] for name in names]
        plans = " ".join(part for some in parts for part in some)
        raise ValueError(
            f"{papers[0]!r} is a paper's table, which is printed alone: give it without the other names, or its runs "
            f"as those of a study (chimera-bench table {plans})"
        )
    return bool(papers)


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
    from benchmark.report.tables.table_files import collect_rows

    rows = read_rows(store, plan, convention=find_convention(convention), metrics=columns.metrics)
    return collect_rows(rows, columns, baseline=baseline or plan.baseline, is_by_split=is_by_split)


def print_table(store: Store, plan: Plan) -> None:
    """Print the table of a study as text."""
    from benchmark.report.tables.selection import DEFAULT
    from benchmark.report.tables.study_table import render

    print_result(render(collect_table(store, plan, DEFAULT), title=plan.title).rstrip("\n"))


def compare(
    context: typer.Context,
    a: Annotated[
        str, typer.Argument(metavar="A", help="METHOD/VARIANT, run, runs of several seeds, or row of a study.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="Reference for A, named in the same way.")],
    *,
    study: Annotated[str | None, typer.Option("--study", help="Study whose rows A and B may name.")] = None,
    split: SplitFilter = None,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, csv, tex, html or json.")] = "txt",
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
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compare two methods, image by image, over all splits that both have."""
    from benchmark.report.comparison import compare_runs
    from benchmark.report.comparison_sides import find_runs
    from benchmark.report.named_rows import make_plan
    from benchmark.report.tables.comparison_table import render
    from benchmark.report.tables.typeset import WIDTH

    store, fmt = open_store(context), choose_format(context, fmt, as_json=as_json)
    place, wanted = read_option("--split", split, "give the name of a split"), split_keys("--metrics", metrics)
    plan = make_plan(store, [study], split=place, notify=print_note) if study is not None else None
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
    out: Annotated[Path, make_out_file(text="File to write: .csv, .json, .parquet or .zip.")],
    *,
    split: SplitFilter = None,
    convention: Convention = "d2-main",
    per_image: Annotated[
        bool, typer.Option("--per-image", help="Write a line per run, image, class and metric.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write the results of studies, methods and runs in long format, or as a .zip archive for `import`.

    Long format has a line per run, class and metric. The archive has records, counts, plans and tables with checksums.
    """
    from benchmark.cli.results_archive import export_archive
    from benchmark.report.export import WRITERS, write_frames
    from benchmark.report.frame import describe_left_out, list_frames, list_image_frames
    from benchmark.report.rows import read_rows

    if out.suffix.lower() not in (known := [*WRITERS, ".zip"]):
        raise ValueError(f"{out} has none of the suffixes {', '.join(known)}: the suffix says which format to write")
    store = open_store(context)
    if out.suffix.lower() == ".zip":
        given = list_given(context, {"split": "--split", "convention": "--convention", "per_image": "--per-image"})
        if given:
            raise ValueError(f"{out} is an archive of whole results: leave out {', '.join(given)}")
        export_archive(store, names, out)
        return
    plan = find_plan(store, names, split)
    rows = read_rows(store, plan, convention=find_convention(convention), metrics=())
    num_lines = write_frames((list_image_frames if per_image else list_frames)(rows, study=plan.study), out)
    for text in describe_left_out(rows) if per_image else ():
        print_note(text)
    print_note(f"wrote {out} ({num_lines} lines)")
    print_ambiguous(store, names)
