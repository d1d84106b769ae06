"""`probe`: what the parts of a trained Chimera-Seg know, by linear probes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import open_store, print_columns, print_json, print_note
from benchmark.cli.options import AsJson, RunIds
from benchmark.cli.progress_lines import show_image_progress
from benchmark.cli.report_options import Convention, find_convention
from benchmark.core.run_state import RunState

if TYPE_CHECKING:
    from benchmark.evaluation.scores import Scores
    from benchmark.store.run_folder import RunFolder
    from benchmark.store.store import Store
    from methods.probes.summary import StageMean

HEADERS = {"miou_seen": "S", "miou_unseen": "U", "hiou": "hIoU"}


def probe(
    context: typer.Context,
    run_ids: RunIds,
    *,
    fit_images: Annotated[
        int, typer.Option("--fit-images", min=1, help="Training images that the linear maps are fitted to.")
    ] = 256,
    convention: Convention = "d2-main",
    as_json: AsJson = False,
) -> None:
    """Score finished runs of Chimera-Seg before and after their frozen blocks; means if there are several.

    Linear maps of the body's features and of the tokens before the frozen blocks are fitted without labels. Those to
    CLIP's dense map show how much of CLIP is there; those in the head's place show what the frozen blocks add to them.
    """
    from benchmark.execution.runner import prepare_torch
    from methods.probes.command import measure_alignment
    from methods.probes.summary import average_stages, check_same_stages

    store, rule = open_store(context), find_convention(convention)
    runs = {run.id: run for run in (_find_run(store, run_id) for run_id in run_ids)}
    specs = {name: run.read_spec() for name, run in runs.items()}
    scores: dict[str, dict[str, Scores]] = {}
    for name, run in runs.items():
        prepare_torch(run.read_record().environment.threads)
        scores[name] = measure_alignment(
            store,
            specs[name],
            fit_images=fit_images,
            convention=rule,
            report=show_image_progress(f"{name}: probed"),
        )
        check_same_stages([*scores.values()])  # now, not when the last run is probed
    if as_json:
        print_json({name: {stage: asdict(result) for stage, result in run.items()} for name, run in scores.items()})
        return
    is_mean, splits = len(scores) > 1, [spec.split for spec in specs.values()]
    header = ["stage", *HEADERS.values(), *(["hIoU of prediction - stage"] if is_mean else [])]
    means = average_stages([*scores.values()], splits=splits)
    print_columns(header, [_format_stage(mean, has_gain=is_mean) for mean in means])
    if is_mean:
        number = len(set(splits))
        level = f"{number} splits" if number > 1 else f"{len(scores)} runs"
        inner = " of means over their runs" if number > 1 else ""
        print_note(f"means over {level}{inner}; ±: 95 % interval over the {level} (Student's t), not over images")


def _find_run(store: Store, run_id: str) -> RunFolder:
    run = store.run(store.find(run_id))
    if run.read_state() is not RunState.DONE:
        raise ValueError(f"{run.read_spec().id} is {run.read_state()}: only a finished run can be probed")
    return run


def _format_stage(mean: StageMean, *, has_gain: bool) -> list[str]:
    from methods.probes.summary import LAST_STAGE

    scores = [f"{mean.means[metric]:.1f}" for metric in mean.means]
    gain = "-" if mean.stage == LAST_STAGE else f"{mean.gain:+.1f} ±{mean.gain_half_width:.1f}"
    return [mean.stage, *scores, *([gain] if has_gain else [])]
