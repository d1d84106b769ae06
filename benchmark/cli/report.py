"""`report`: the results of studies as one HTML file that needs no server and no network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.compute import count_submitted_gpus
from benchmark.cli.console import open_store, print_note
from benchmark.cli.report_options import (
    Baseline,
    BySplit,
    Convention,
    Names,
    SplitFilter,
    find_plan,
    print_ambiguous,
    read_option,
)
from benchmark.cli.reports import GIVE_ROW, collect_table

if TYPE_CHECKING:
    from benchmark.core.study import Plan
    from benchmark.report.html.embedded_images import EmbeddedImages
    from benchmark.report.html.study_report import StudyReport
    from benchmark.report.study_results import StudyResults
    from benchmark.store.store import Store


def report(
    context: typer.Context,
    names: Names,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="HTML file to write.")],
    *,
    split: SplitFilter = None,
    convention: Convention = "d2-main",
    baseline: Baseline = None,
    by_split: BySplit = False,
    images: Annotated[
        int,
        typer.Option("--images", metavar="N", min=0, help="Embed N images with predictions, made from checkpoints."),
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write the results of studies as one HTML page: verdicts, table, figures, images, failures, compute, limits."""
    from benchmark.report.html.page import render_page
    from benchmark.utils.atomic_files import write_text

    check_target(out, is_overwritten=overwrite)
    store = open_store(context)
    plan = find_plan(store, names, split)
    reference = read_option("--baseline", baseline, GIVE_ROW)
    page = make_report(
        store, plan, names, convention=convention, baseline=reference, is_by_split=by_split, images=images
    )
    for label, reason in page.embedded.left_out.items():
        print_note(f"no predictions of {label}: {reason}")
    text = render_page(page)
    write_text(out, text)
    print_note(f"wrote {out} ({len(text.encode()) / 1e6:.1f} MB)")
    print_ambiguous(store, names)


def check_target(out: Path, *, is_overwritten: bool) -> None:
    """Check that a file can be written, before anything is computed.

    Raises:
        ValueError: The name does not end in .html, or the file exists and may not be replaced.
        OSError: The folder does not exist or cannot be written to.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{out} has not the suffix of a page: give a name that ends in .html")
    if out.is_dir():
        raise IsADirectoryError(21, "is a folder, give a file", str(out))
    if out.exists() and not is_overwritten:
        raise ValueError(f"{out} exists: give another name, or --overwrite to replace it")
    folder = out.parent
    if not folder.is_dir():
        raise FileNotFoundError(2, "no such folder", str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "cannot write to the folder", str(folder))


def make_report(
    store: Store,
    plan: Plan,
    names: Sequence[str],
    *,
    convention: str = "d2-main",
    baseline: str = "",
    is_by_split: bool = False,
    images: int = 0,
) -> StudyReport:
    """Return the report of a plan.

    Args:
        store: Store that holds the runs.
        plan: Plan of the rows.
        names: Names that the user gave.
        convention: Name of the convention of the scores.
        baseline: Row that the others are compared with; if empty, the plan's.
        is_by_split: Whether every split is a group of its own.
        images: Number of images to embed.

    Raises:
        KeyError: A name is unknown; the message suggests the nearest.
        ValueError: No run is done.
    """
    from benchmark.published.read import read_published
    from benchmark.report.compute.compute_rows import collect_compute
    from benchmark.report.html.report_table import select_report_columns
    from benchmark.report.html.study_report import ReportSources, build_report, is_rankable

    columns = select_report_columns(has_ranks=is_rankable(plan), has_pools=len(plan.splits) > 1)
    results = collect_table(store, plan, columns, convention=convention, baseline=baseline, is_by_split=is_by_split)
    sources = ReportSources(
        plan=plan,
        names=tuple(names),
        columns=columns,
        compute=collect_compute(store, plan, devices=count_submitted_gpus(store)),
        published=read_published(),
    )
    if images and results.has_results:
        sources = replace(sources, embedded=make_embedded_images(store, plan, results, count=images))
    return build_report(results, store, sources)


def make_embedded_images(store: Store, plan: Plan, results: StudyResults, *, count: int) -> EmbeddedImages:
    """Return the images on which the rows of the first group differ most; this needs torch and data."""
    from benchmark.cli.predict import predict_row
    from benchmark.qualitative.report_images import embed_images

    return embed_images(store, plan, results.groups[0], count=count, predict=predict_row)
