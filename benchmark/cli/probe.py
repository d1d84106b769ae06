"""`probe`: what the parts of a trained Chimera-Seg know, by linear probes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from benchmark.cli.console import open_store, print_columns, print_json
from benchmark.cli.image_progress import show_image_progress
from benchmark.cli.options import AsJson, RunId
from benchmark.cli.report_options import Convention, find_convention
from benchmark.core.run_state import RunState

METRICS = {"miou_seen": "S", "miou_unseen": "U", "hiou": "hIoU"}


def probe(
    context: typer.Context,
    run_id: RunId,
    *,
    fit_images: Annotated[
        int, typer.Option("--fit-images", min=1, help="Training images that the linear maps are fitted to.")
    ] = 256,
    convention: Convention = "d2-main",
    as_json: AsJson = False,
) -> None:
    """Score a finished run of Chimera-Seg before and after its frozen blocks.

    Linear maps of the body's features and of the tokens before the frozen blocks are fitted without labels. Those to
    CLIP's dense map show how much of CLIP is there; those in the head's place show what the frozen blocks add to them.
    """
    from benchmark.execution.runner import prepare_torch
    from methods.probes.command import measure_alignment

    store = open_store(context)
    run = store.run(store.find(run_id))
    if run.read_state() is not RunState.DONE:
        raise ValueError(f"{run.read_spec().id} is {run.read_state()}: only a finished run can be probed")
    prepare_torch(run.read_record().environment.threads)
    scores = measure_alignment(
        store,
        run.read_spec(),
        fit_images=fit_images,
        convention=find_convention(convention),
        report=show_image_progress("probed"),
    )
    if as_json:
        print_json({stage: asdict(result) for stage, result in scores.items()})
        return
    rows = [[stage, *(f"{getattr(result, name):.1f}" for name in METRICS)] for stage, result in scores.items()]
    print_columns(["stage", *METRICS.values()], rows)
