"""`speed labels`: time and memory of label maps and counts, beside computing all scores first as Detectron2 does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import print_columns, print_json, print_line, print_note
from benchmark.cli.options import AsJson
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.profiling.label_maps import Case, ChunkingComparison, Task

    TimedTask = tuple[str, Case, ChunkingComparison]

TIME_HEADS = ("result", "classes", "size", "scores", "all scores first", "ours", "times as fast", "same result")
MEMORY_HEADS = ("result", "classes", "size", "all scores first", "ours", "times less memory")


def labels(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds of timing.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Measure label maps and counts made a few classes at a time.

    The comparison is with all scores first, as Detectron2's SemSegEvaluator has them; if Detectron2 is installed,
    also with that evaluator itself. Reports CPU time on one thread, and memory without the network's own scores.
    Contrast is what a few classes stand out by from the noise of all others; noise that is resized twice is the worst
    case. Exit code 1 if the results differ.
    """
    import torch

    from benchmark.profiling.label_maps import CASES, TASKS, find_worst, measure_memory_mb

    torch.set_num_threads(1)
    measured = list(_measure(rounds))
    memory = []
    for case in find_worst(CASES):
        for name in TASKS:
            whole, chunked = measure_memory_mb(name, case)
            memory.append((name, case, (whole, chunked)))
            print_note(f"memory of {name}, {case.classes} classes: {whole:.0f} MB, ours {chunked:.0f} MB")
    if as_json:
        times = [{"result": name} | asdict(case) | asdict(comparison) for name, case, comparison in measured]
        sizes = [
            {"result": name} | asdict(case) | {"whole_mb": whole, "chunked_mb": chunked}
            for name, case, (whole, chunked) in memory
        ]
        print_json({"times": times, "memory": sizes})
    else:
        print_columns(TIME_HEADS, [_format_times(*row) for row in measured])
        print_line()
        print_columns(MEMORY_HEADS, [_format_memory(*row) for row in memory])
    is_same = all(comparison.is_identical for _, _, comparison in measured)
    raise typer.Exit(ExitCode.SUCCESS if is_same else ExitCode.ERROR)


def _measure(rounds: int) -> Iterator[TimedTask]:
    """Measure all tasks of all cases, and print the times of each as soon as it is measured."""
    from benchmark.profiling.label_maps import CASES, compare_chunking

    has_evaluator = _has_evaluator()
    for number, case in enumerate(CASES, start=1):
        for name, task in _list_tasks(case.classes, has_evaluator).items():
            comparison = compare_chunking(task, case, rounds=rounds)
            times = f"{median(comparison.whole_ms):.0f} ms, ours {median(comparison.chunked_ms):.0f} ms"
            print_note(f"[{number}/{len(CASES)}] {name}, {case.classes} classes, {_describe(case)}: {times}")
            yield name, case, comparison


def _has_evaluator() -> bool:
    """Return whether Detectron2's evaluator is installed, and say why it is skipped if it is not."""
    from benchmark.utils.optional_packages import require_detectron2

    try:
        require_detectron2()
    except ValueError as error:
        print_note(f"SemSegEvaluator skipped: {error}")
        return False
    return True


def _list_tasks(classes: int, has_evaluator: bool) -> dict[str, Task]:
    """Return all tasks by name, and counts beside Detectron2's evaluator if it is installed."""
    from benchmark.profiling.label_maps import TASKS, Task

    if not has_evaluator:
        return TASKS
    from benchmark.d2.evaluator_speed import make_evaluation

    return TASKS | {"counts, SemSegEvaluator": Task(make_evaluation(classes), TASKS["counts"].chunked)}


def _describe(case: Case) -> str:
    return "noise, resized twice" if case.is_resized else f"contrast {case.contrast:g}" if case.contrast else "noise"


def _format_times(name: str, case: Case, comparison: ChunkingComparison) -> list[str]:
    return [
        name,
        str(case.classes),
        " x ".join(map(str, case.output_size)),
        _describe(case),
        f"{median(comparison.whole_ms):.0f} ms",
        f"{median(comparison.chunked_ms):.0f} ms",
        f"{comparison.times_as_fast:.1f}",
        "yes" if comparison.is_identical else "no",
    ]


def _format_memory(name: str, case: Case, memory: tuple[float, float]) -> list[str]:
    whole, chunked = memory
    size = " x ".join(map(str, case.output_size))
    return [name, str(case.classes), size, f"{whole:.0f} MB", f"{chunked:.0f} MB", f"{whole / chunked:.1f}"]
