"""`speed pace`: what a training step and an evaluated image of each row cost at full size, for `plan --estimate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import format_command, open_store, print_columns, print_json, print_note
from benchmark.cli.options import AsJson
from benchmark.cli.progress_lines import show_stages
from benchmark.cli.run_options import RunOptions, with_run_options
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.core.run_spec import RunSpec
    from benchmark.planning.selection import Selection
    from benchmark.store.paces import MeasuredPace

HEADS = ("row", "s per step", "passes", "s per image", "peak memory", "TFLOP per step", "TFLOP per image", "parameters")


@with_run_options
def pace(
    context: typer.Context,
    options: RunOptions,
    *,
    passes: Annotated[int, typer.Option("--passes", min=1, help="Training passes to time, after one.")] = 2,
    images: Annotated[int, typer.Option("--images", min=1, help="Evaluation images to time, after one.")] = 2,
    memory_gb: Annotated[
        float | None,
        typer.Option("--memory", metavar="GB", min=0.5, help="Memory for a row; default: 60 % of what is free."),
    ] = None,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Use random weights in place of those to download.")
    ] = False,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure a training step and an evaluated image of every row, for `plan --estimate`; runs nothing else.

    Rows have their own budget, protocol and size. Without the data, images of noise stand in. A batch that does not fit
    into the memory is measured by a part of it. Each row has a process of its own; if one fails, the others go on.
    """
    from benchmark.execution.measure_pace import PaceRequest, measure_apart
    from benchmark.planning.outline import outline_runs
    from benchmark.store.paces import write_pace

    store = open_store(context)
    selection = outline_runs(options.make_request())
    rows: list[tuple[RunSpec, MeasuredPace]] = []
    failed = 0
    listed = _list_rows(selection)
    for number, (label, spec) in enumerate(listed, start=1):
        request = PaceRequest(
            spec, passes, images, threads, None if memory_gb is None else 1024 * memory_gb, random_weights
        )
        print_note(f"[{number}/{len(listed)}] {label}: measuring")
        result = measure_apart(request, observe=show_stages(label))
        if isinstance(result, str):
            print_note(f"{label}: failed: {result}")
            failed += 1
            continue
        print_note(f"{label}: measured; saved as {write_pace(store, result)}")
        rows.append((spec, result))
    if as_json:
        print_json([result.model_dump(mode="json") for _, result in rows])
    elif rows:
        print_columns(HEADS, [_format_row(spec, result) for spec, result in rows])
    is_outline = random_weights or any(result.is_synthetic for _, result in rows)
    words = [*options.list_words(), "--estimate", *(["--without-files"] if is_outline else [])]
    print_note(f"estimate runs from it: {format_command(store, 'plan', *words)}")
    raise typer.Exit(ExitCode.ERROR if failed else ExitCode.SUCCESS)


def _list_rows(selection: Selection) -> list[tuple[str, RunSpec]]:
    """Return label and first spec of the rows of a selection, without rows that have the pace of an earlier one."""
    from benchmark.planning.pace_key import make_pace_key

    plan = selection.plan
    assert plan is not None  # an outline has a plan
    specs = selection.make_specs([next(iter(row.ids.values())) for row in plan.rows])
    rows: dict[str, tuple[str, RunSpec]] = {}
    for row, spec in zip(plan.rows, specs, strict=True):
        rows.setdefault(make_pace_key(spec), (row.label, spec))
    return list(rows.values())


def _format_row(spec: RunSpec, pace: MeasuredPace) -> list[str]:
    training, evaluation, batch = pace.training, pace.evaluation, spec.budget.batch_size
    step = ["-", "-"]
    operations = "-"
    if training is not None:
        step = [f"{training.pass_s * batch / training.images:.3g}", f"{batch // training.images} of {training.images}"]
        operations = f"{training.flops.total * batch / 1e12:.3g}"
    image = [f"{evaluation.image_s:.3g}", f"{pace.process_mb / 1024:.2f} GB"]
    size = f"{pace.parameters / 1e6:.1f} M, {pace.trained / 1e6:.1f} M trained"
    return [pace.row, *step, *image, operations, f"{evaluation.flops.total / 1e12:.3g}", size]
