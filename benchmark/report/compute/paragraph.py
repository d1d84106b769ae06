"""Paragraph on compute for a paper, in plain English."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmark.report.compute.attempt_times import AttemptTime, Ending
from benchmark.report.compute.compute_rows import Compute, ComputeRow, sum_seconds
from benchmark.report.compute.compute_table import MB_PER_GB
from benchmark.report.compute.durations import describe_time, format_hours
from benchmark.report.compute.machine_kind import MachineKind


def write_paragraph(compute: Compute) -> str:
    """Return a paragraph that says what the studies were computed on and how long it took, failures included."""
    done = [attempt for row in compute.rows for attempt in row.done]
    if not done:
        return "No run is done yet."
    return " ".join(
        filter(
            None,
            (
                _describe_machines(compute.rows),
                _describe_runs(compute.rows),
                _describe_memory(compute.rows),
                _describe_total(compute.rows),
                _describe_further(compute.rows),
                _describe_tuning(compute),
            ),
        )
    )


def _describe_machines(rows: Sequence[ComputeRow]) -> str:
    kinds: dict[MachineKind, list[ComputeRow]] = {}
    for row in rows:
        if row.done:
            kinds.setdefault(row.machine, []).append(row)
    numbers = {kind: sum(len(row.done) for row in some) for kind, some in kinds.items()}
    names = {kind: _name_machine(kind, some) for kind, some in kinds.items()}
    if len(kinds) == 1:
        kind, number = next(iter(numbers.items()))
        return f"{f'All {number} runs' if number > 1 else 'The run'} used {names[kind]}."
    return f"Of {sum(numbers.values())} runs, {_join([f'{numbers[kind]} used {names[kind]}' for kind in kinds])}."


def _name_machine(kind: MachineKind, rows: Sequence[ComputeRow]) -> str:
    """Return a kind of machine in words, with the number of GPUs of a run if all runs had as many."""
    each = " each" if sum(len(row.done) for row in rows) > 1 else ""
    if not kind.is_gpu:
        threads = f" with {kind.threads} thread{'s' if kind.threads > 1 else ''}" if kind.threads else ""
        return f"a CPU of type {kind.name.removeprefix('CPU ')}{threads}{each}"
    numbers = {row.devices.get(attempt.run_id, 0) for row in rows for attempt in row.done}
    number = numbers.pop() if len(numbers) == 1 else 0
    return f"{number} {kind.name} GPU{'s' if number > 1 else ''}{each}" if number else f"{kind.name} GPUs"


def _describe_runs(rows: Sequence[ComputeRow]) -> str:
    seconds = [value for row in rows for value in row.run_seconds]
    text = f"One run took {describe_time(median(seconds))}"
    if len(seconds) > 1:
        text += f" (median; {describe_time(min(seconds))} to {describe_time(max(seconds))})"
    if sum(seconds) > sum_seconds(attempt for row in rows for attempt in row.done):
        text += ", with the interrupted training that it continued"
    training = [row.train_seconds for row in rows if row.done]
    known = [value for value in training if value is not None]
    is_known = len(known) == len(training) and sum(seconds) > 0
    share = sum(known) / sum(seconds) if is_known else 0.0
    return f"{text}; {share:.0%} of this time was training." if share else f"{text}."


def _describe_memory(rows: Sequence[ComputeRow]) -> str:
    peaks = [row.peak_memory_mb for row in rows if row.peak_memory_mb is not None]
    return f"A process had at most {max(peaks) / MB_PER_GB:.1f} GB of resident memory." if peaks else ""


def _describe_total(rows: Sequence[ComputeRow]) -> str:
    done = [attempt for row in rows for attempt in row.done]
    text = f"All runs together took {describe_time(sum_seconds(done))}"
    gpus = [row.gpu_seconds for row in rows if row.gpu_seconds is not None]
    if not gpus:
        return f"{text}."
    is_least = any(row.machine.is_gpu and (row.has_unknown_devices or row.is_least) for row in rows)
    hours = f"{'at least ' if is_least else ''}{format_hours(sum(gpus))}"
    return f"{text}; with all other attempts, the study took {hours} GPU hours."


def _describe_further(rows: Sequence[ComputeRow]) -> str:
    """Return the sentence on attempts that gave no result, and on those whose time is not known."""
    further = [attempt for row in rows for attempt in row.further]
    if not further:
        return "No failed, interrupted or repeated attempt is on record."
    kinds = _join([f"{_count(further, ending)} {ending}" for ending in Ending if _count(further, ending)])
    unknown = sum(attempt.seconds is None for attempt in further)
    attempts = f"{kinds} attempt{'s' if len(further) > 1 else ''}"
    if unknown == len(further):
        return f"In addition, there {'were' if len(further) > 1 else 'was'} {attempts}, whose time is not recorded."
    least = "at least " if unknown or any(attempt.is_least for attempt in further) else ""
    rest = f"; the time of {unknown} of them is not recorded" if unknown else ""
    return f"In addition, {attempts} took {least}{describe_time(sum_seconds(further))}{rest}."


def _describe_tuning(compute: Compute) -> str:
    if not compute.tuning_names:
        return "This does not include tuning trials."
    attempts = [attempt for row in compute.tuning for attempt in row.attempts]
    all_attempts = [*attempts, *(attempt for row in compute.rows for attempt in row.attempts)]
    number = len({attempt.run_id for attempt in attempts})
    trials = f"Another {number} tuning trial{'s' if number != 1 else ''} took"
    return f"{trials} {_describe_sum(attempts)}, which makes {_describe_sum(all_attempts)} in all."


def _describe_sum(attempts: Sequence[AttemptTime]) -> str:
    is_least = any(attempt.seconds is None or attempt.is_least for attempt in attempts)
    return f"{'at least ' if is_least else ''}{describe_time(sum_seconds(attempts))}"


def _count(attempts: Sequence[AttemptTime], ending: Ending) -> int:
    return sum(attempt.ending is ending for attempt in attempts)


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
