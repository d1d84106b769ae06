"""`points`: scores of finished runs on points instead of pixels."""

from __future__ import annotations

from dataclasses import asdict

import typer

from benchmark.cli.console import open_store, print_columns, print_json
from benchmark.cli.options import AsJson, RunIds
from benchmark.cli.progress_lines import show_image_progress
from benchmark.cli.report_options import Convention, find_convention
from benchmark.core.run_state import RunState

HEADERS = {"miou_seen": "S", "miou_unseen": "U", "hiou": "hIoU", "pixel_accuracy": "accuracy"}


def points(
    context: typer.Context, run_ids: RunIds, *, convention: Convention = "d2-main", as_json: AsJson = False
) -> None:
    """Score finished runs of a method of point clouds on the points themselves, in percent.

    Tables score pixels, of which those without a point have the scores of the nearest point. Here every labeled point
    of every scene counts once.
    """
    from benchmark.execution.runner import prepare_torch
    from benchmark.qualitative.point_scores import score_points

    store, rule = open_store(context), find_convention(convention)
    scores = {}
    for run_id in run_ids:
        run = store.run(store.find(run_id))
        spec = run.read_spec()
        if spec.is_imported or run.read_state() is not RunState.DONE:
            raise ValueError(f"{spec.id} is no finished run of a method: only such a run has points to score")
        prepare_torch(run.read_record().environment.threads)
        scores[spec.id] = score_points(
            store, spec, convention=rule, report=show_image_progress(f"{spec.id}: scored the points of")
        )
    if as_json:
        print_json({name: asdict(result) for name, result in scores.items()})
        return
    rows = [[name, *(f"{getattr(result, metric):.1f}" for metric in HEADERS)] for name, result in scores.items()]
    print_columns(["run", *HEADERS.values()], rows)
