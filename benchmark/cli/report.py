"""`report`: the results of studies as one HTML file that needs no server and no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.compute import count_submitted_gpus
from benchmark.cli.console import open_store, print_note
from benchmark.cli.indexed_reports import draw_from_index, find_sources, list_split_files
from benchmark.cli.options import NoIndex
from benchmark.cli.out_files import Overwrite, make_out_file
from benchmark.cli.report_options import (
    Baseline,
    BySplit,
    Convention,
    Names,
    SplitFilter,
    find_plan,
    read_option,
)
from benchmark.cli.reports import GIVE_ROW, collect_table

if TYPE_CHECKING:
    from benchmark.core.plan import Plan
    from benchmark.report.html.embedded_images import EmbeddedImages
    from benchmark.report.html.study_report import ReportSources
    from benchmark.report.study_results import StudyResults
    from benchmark.report.tables.selection import SelectedColumns
    from benchmark.store.store import Store


def report(
    context: typer.Context,
    names: Names,
    out: Annotated[Path, make_out_file(text="HTML file to write.")],
    *,
    split: SplitFilter = None,
    convention: Convention = "d2-main",
    baseline: Baseline = None,
    by_split: BySplit = False,
    images: Annotated[
        int,
        typer.Option("--images", metavar="N", min=0, help="Embed N images with predictions, made from checkpoints."),
    ] = 0,
    overwrite: Overwrite = False,
    no_index: NoIndex = False,
) -> None:
    """Write the results of studies as one HTML page: verdicts, table, figures, images, failures, compute, limits."""
    from benchmark.store.index.report_index import Report
    from benchmark.utils.atomic_files import write_text

    if out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{out} has not the suffix of a page: give a name that ends in .html")
    store = open_store(context)

    def draw() -> Report:
        from benchmark.report.html.page import render_page
        from benchmark.report.html.report_table import select_report_columns
        from benchmark.report.html.study_report import build_report, is_rankable
        from benchmark.report.named_rows import describe_ambiguous

        plan = find_plan(store, names, split)
        reference = read_option("--baseline", baseline, GIVE_ROW)
        columns = select_report_columns(has_ranks=is_rankable(plan), has_pools=len(plan.splits) > 1)
        results = collect_table(store, plan, columns, convention=convention, baseline=reference, is_by_split=by_split)
        sources = _collect_sources(store, plan, names, columns=columns, results=results)
        if images and results.has_results:
            sources = replace(sources, embedded=make_embedded_images(store, plan, results, count=images))
        page = build_report(results, store, sources)
        for label, reason in page.embedded.left_out.items():
            print_note(f"no predictions of {label}: {reason}")
        closing = tuple(describe_ambiguous(store, names))
        return Report(render_page(page), closing_notes=closing, files=list_split_files(results.rows))

    # images are predicted from checkpoints and data sets, of which the index knows nothing
    sources = None if images else replace(find_sources(store, names), has_all_files=True)
    drawn = draw_from_index(context, store, sources=sources, draw=draw)
    write_text(out, drawn.text)
    print_note(f"wrote {out} ({len(drawn.text.encode()) / 1e6:.1f} MB)")
    for note in drawn.closing_notes:
        print_note(note)


def _collect_sources(
    store: Store, plan: Plan, names: Sequence[str], *, columns: SelectedColumns, results: StudyResults
) -> ReportSources:
    """Return what a report is made of beside results, without images."""
    from benchmark.published.read import read_published
    from benchmark.report.compute.compute_rows import collect_compute
    from benchmark.report.html.study_report import ReportSources, describe_compute

    records = {run.run_id: run.record for row in results.rows for run in row.done if run.record is not None}
    compute = collect_compute(store, plan, devices=count_submitted_gpus(store), results=records)
    return ReportSources(
        plan=plan,
        names=tuple(names),
        columns=columns,
        compute=describe_compute(compute),
        published=read_published(),
    )


def make_embedded_images(store: Store, plan: Plan, results: StudyResults, *, count: int) -> EmbeddedImages:
    """Return the images on which the rows of the first group differ most; this needs torch and data."""
    from benchmark.cli.predict import predict_row
    from benchmark.qualitative.report_images import embed_images

    return embed_images(store, plan, results.groups[0], count=count, predict=predict_row)
