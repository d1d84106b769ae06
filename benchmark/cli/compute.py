"""`compute`: what studies were computed on and how long it took, in the shape that conferences ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import open_store, print_note
from benchmark.cli.options import AsJson
from benchmark.cli.out_files import OutFile, Overwrite
from benchmark.cli.report_options import (
    Names,
    SplitFilter,
    Wide,
    choose_format,
    find_plan,
    print_ambiguous,
    print_report,
)

if TYPE_CHECKING:
    from benchmark.store.store import Store


def compute(
    context: typer.Context,
    names: Names,
    *,
    tuning: Annotated[
        list[str] | None,
        typer.Option("--tuning", metavar="STUDY", help="Study of tuning trials, counted apart; may be repeated."),
    ] = None,
    split: SplitFilter = None,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, tex, csv or json.")] = "txt",
    wide: Wide = False,
    out: OutFile = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Report the compute of studies: machines, hours and memory, with failed, interrupted and repeated attempts.

    The report ends with a paragraph for a paper. Tuning trials count if their studies are named with --tuning.
    """
    from benchmark.report.compute.compute_report import render
    from benchmark.report.compute.compute_rows import collect_compute
    from benchmark.report.tables.typeset import WIDTH

    store, fmt = open_store(context), choose_format(context, fmt, as_json=as_json)
    plan = find_plan(store, names, split)
    trials = [find_plan(store, [name], None) for name in tuning or ()]
    report = collect_compute(store, plan, tuning=trials, devices=count_submitted_gpus(store))
    print_report(render(report, fmt=fmt, width=None if wide else WIDTH), fmt=fmt, out=out)
    print_ambiguous(store, [*names, *(tuning or ())])


def count_submitted_gpus(store: Store) -> dict[str, int]:
    """Return the GPUs of every run that was submitted to a cluster, if one run at a time had all of them."""
    from slurm.requests.manifest import locate_runs

    tasks = locate_runs(store, notify=lambda line: print_note(f"warning: {line}"))
    manifests = {run_id: task.submission.manifest for run_id, task in tasks.items()}
    return {
        run_id: manifest.gpus
        for run_id, manifest in manifests.items()
        if manifest.gpus and manifest.concurrent_runs == 1
    }
