"""Table of a compute report: one row per row of the study and kind of machine, then totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark.report.compute.attempt_times import AttemptTime, Ending
from benchmark.report.compute.compute_rows import Compute, ComputeRow, sum_seconds
from benchmark.report.compute.durations import HOUR_S, NOT_RECORDED, format_hours
from benchmark.report.tables.layout import TableCell, TableLayout, TableNote

MB_PER_GB = 1024.0


def lay_out(compute: Compute) -> TableLayout:
    """Return the table of a compute report."""
    rows = [*compute.rows, *compute.tuning]
    has_gpus = any(row.machine.is_gpu for row in rows)
    header = ["Row", "Machine", "Done", "Failed", "Interr.", "Repl.", "h per run", "Train h", "Rest h"]
    header += ["Done h", "Further h", "Total h", *(["GPU h"] if has_gpus else []), "Peak GB"]
    cells = [_format_row(row, has_gpus=has_gpus) for row in rows]
    cells += [_format_total(compute.rows, "Total", has_gpus=has_gpus)] if len(compute.rows) > 1 else []
    cells += [_format_total(rows, "Total with tuning", has_gpus=has_gpus)] if compute.tuning else []
    return TableLayout(
        title=f"Compute: {compute.title}",
        header=tuple(header),
        is_text=(True, True, *[False] * (len(header) - 2)),
        cells=tuple(tuple(map(TableCell, texts)) for texts in cells),
        notes=tuple(TableNote(text) for text in list_notes(compute)),
        is_wide=True,
    )


def list_notes(compute: Compute) -> list[str]:
    """Return what the columns mean, and what is not on record."""
    rows = [*compute.rows, *compute.tuning]
    unknown, least = sum(row.num_unknown for row in rows), [a for row in rows for a in row.attempts if a.is_least]
    texts = [
        "h per run: wall time of a run that is done and of the interrupted training that it continued, which Further h "
        "has too, median [min, max]; Train h, Rest h: its parts summed over the runs, training and all else (loading, "
        "evaluation, measurements), which are not recorded apart. Done h: the attempts that gave results. Further h: "
        "attempts that failed, were interrupted, killed or are running, or whose results were replaced by a rerun or "
        "cannot be read (Failed, Interr., Repl.).",
        "Peak GB: largest resident memory of a process. Memory of GPUs, and processors and memory of the machines, are "
        "not recorded.",
    ]
    texts += [f"{_count(unknown, 'attempt')} of unknown time, which no sum includes."] if unknown else []
    texts += (
        [
            f"≥: {_count(len(least), 'attempt')} without a recorded end, counted until the last heartbeat, or with the "
            f"training that a later attempt continued."
        ]
        if least
        else []
    )
    if any(row.machine.is_gpu for row in rows):
        texts.append("GPU h: wall time times GPUs of the run; runs that shared a GPU count in full.")
    if any(row.has_unknown_devices for row in rows):
        texts.append("The number of GPUs of some runs with several micro-batches is not recorded: one is counted.")
    texts += [f"{_count(compute.num_never_run, 'planned run')} without any attempt."] if compute.num_never_run else []
    if compute.num_imported:
        texts.append(f"{_count(compute.num_imported, 'imported prediction')} left out: their compute is unknown.")
    problems = [attempt.problem for row in rows for attempt in row.attempts if attempt.problem]
    if problems:
        more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
        texts.append(
            f"{_count(len(problems), 'run')} with a result that cannot be read, counted as replaced: "
            f"{problems[0].rstrip('.')}{more}."
        )
    if not compute.tuning_names:
        texts.append("Tuning trials are not included: name their studies with --tuning STUDY.")
    return [*texts, "Attempts that were deleted, and runs outside of these studies, are not known here."]


def list_values(compute: Compute) -> list[dict[str, Any]]:
    """Return the rows as plain values for csv and JSON; None for what is not recorded."""
    return [_describe_row(row) for row in (*compute.rows, *compute.tuning)]


def describe_sum(rows: Sequence[ComputeRow]) -> dict[str, Any]:
    """Return the sums over rows as plain values."""
    attempts = [attempt for row in rows for attempt in row.attempts]
    gpus = [row.gpu_seconds for row in rows if row.gpu_seconds is not None]
    return {
        "runs_done": _count_ending(attempts, Ending.DONE),
        "attempts": len(attempts),
        "attempts_of_unknown_time": sum(row.num_unknown for row in rows),
        "hours_done": sum_seconds(attempt for row in rows for attempt in row.done) / HOUR_S,
        "hours_further_attempts": sum_seconds(attempt for row in rows for attempt in row.further) / HOUR_S,
        "hours": sum_seconds(attempts) / HOUR_S,
        "gpu_hours": sum(gpus) / HOUR_S if gpus else None,
        "is_lower_bound": any(row.is_least for row in rows),
    }


def _describe_row(row: ComputeRow) -> dict[str, Any]:
    hours = {
        "hours_per_run_median": row.median_seconds,
        "hours_per_run_min": min(row.run_seconds, default=None),
        "hours_per_run_max": max(row.run_seconds, default=None),
        "hours_training": row.train_seconds,
        "hours_rest": row.rest_seconds,
    }
    return {
        "row": row.label,
        "kind": "tuning" if row.is_tuning else "reported",
        "machine": row.machine.name,
        "is_gpu": row.machine.is_gpu,
        "threads": row.machine.threads or None,
        **describe_sum([row]),
        **{f"attempts_{ending}": len(row.select(ending)) for ending in Ending if ending is not Ending.DONE},
        **{name: seconds / HOUR_S if seconds is not None else None for name, seconds in hours.items()},
        "peak_memory_mb": row.peak_memory_mb,
    }


def _format_row(row: ComputeRow, *, has_gpus: bool) -> list[str]:
    times = [format_hours(value) for value in (min(row.run_seconds, default=None), max(row.run_seconds, default=None))]
    spread = f" [{times[0]}, {times[1]}]" if len(row.done) > 1 else ""
    label = f"tuning: {row.label}" if row.is_tuning else row.label
    return [
        label,
        str(row.machine),
        *(str(len(row.select(ending))) for ending in Ending),
        format_hours(row.median_seconds) + spread,
        format_hours(row.train_seconds),
        format_hours(row.rest_seconds),
        *_format_sums([row], has_gpus=has_gpus),
    ]


def _format_total(rows: Sequence[ComputeRow], label: str, *, has_gpus: bool) -> list[str]:
    attempts = [attempt for row in rows for attempt in row.attempts]
    numbers = [str(_count_ending(attempts, ending)) for ending in Ending]
    return [label, "", *numbers, "", "", "", *_format_sums(rows, has_gpus=has_gpus)]


def _format_sums(rows: Sequence[ComputeRow], *, has_gpus: bool) -> list[str]:
    """Return the cells that a row and a total share: hours of done, further and all attempts, GPU hours and memory."""
    done = [attempt for row in rows for attempt in row.done]
    further = [attempt for row in rows for attempt in row.further]
    gpus = [row.gpu_seconds for row in rows if row.gpu_seconds is not None]
    peaks = [row.peak_memory_mb for row in rows if row.peak_memory_mb is not None]
    is_least = any(row.is_least for row in rows)
    cells = [format_hours(sum_seconds(done)), format_hours(sum_seconds(further), is_least=is_least)]
    cells.append(format_hours(sum_seconds([*done, *further]), is_least=is_least))
    cells += [format_hours(sum(gpus) if gpus else None, is_least=is_least and bool(gpus))] if has_gpus else []
    return [*cells, f"{max(peaks) / MB_PER_GB:.1f}" if peaks else NOT_RECORDED]


def _count_ending(attempts: Sequence[AttemptTime], ending: Ending) -> int:
    return sum(attempt.ending is ending for attempt in attempts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
