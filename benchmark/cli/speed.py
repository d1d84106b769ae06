"""`speed`: what the suite's own parts cost, each beside the plain way to the same result, measured in one run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import AsJson, print_columns, print_json, print_note
from benchmark.cli.engines import engines

if TYPE_CHECKING:
    from benchmark.profiling.label_maps import Case, Speed

app = typer.Typer(help="Measure what the suite's own parts cost on this machine.", no_args_is_help=True)
app.command("engines")(engines)

HEADS = (
    *("result", "classes", "size", "all scores first", "a few at a time", "times as fast"),
    *("all scores first", "a few at a time", "times less memory", "same result"),
)


@app.command("labels")
def labels(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often each is timed.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Label maps and counts of an image whose scores are made a few classes at a time, beside all scores at once.

    Processor time on one thread, and memory beyond the network's own scores. Exit code 1 where the results differ.
    """
    import torch

    from benchmark.profiling.label_maps import CASES, TASKS, measure

    torch.set_num_threads(1)
    found: list[tuple[str, Case, Speed]] = []
    for case in CASES:
        for task in TASKS:
            print_note(f"{task}, {case.classes} classes, {case.height} x {case.width} pixels")
            found.append((task, case, measure(task, case, rounds=rounds)))
    if as_json:
        print_json([{"result": task} | asdict(case) | asdict(speed) for task, case, speed in found])
    else:
        print_columns(HEADS, [_row(task, case, speed) for task, case, speed in found])
    raise typer.Exit(0 if all(speed.is_identical for _, _, speed in found) else 1)


def _row(task: str, case: Case, speed: Speed) -> list[str]:
    from statistics import median

    return [
        task,
        str(case.classes),
        f"{case.height} x {case.width}",
        f"{median(speed.whole_ms):.0f} ms",
        f"{median(speed.chunked_ms):.0f} ms",
        f"{speed.times_as_fast:.1f}",
        f"{speed.whole_mb:.0f} MB",
        f"{speed.chunked_mb:.0f} MB",
        f"{speed.times_less_memory:.1f}",
        "yes" if speed.is_identical else "no",
    ]
