"""What the page shows of a single row when a reader opens it: its runs, what they are of, and how to make them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

from benchmark.core.environment import describe_arithmetic
from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.report.alarms import describe_alarms
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import ResultRow, RunResult
from benchmark.report.tables.headers import describe_supervision
from benchmark.report.tables.notes import describe_budget
from benchmark.report.tables.numbers import format_three_digits
from benchmark.report.tables.traits import describe_extra_models
from benchmark.store.staleness import summarize_changes
from benchmark.utils.plain_text import clean_text

RUN_FIELDS = (
    "split",
    "seed",
    "state",
    "mIoU(S)",
    "mIoU(U)",
    "hIoU",
    "result",
    "training",
    "memory",
    "attempts",
    "commit",
    "machine",
    "run",
)
"""Headers of the table of runs, in the order of the values of `describe_run`."""
UNKNOWN = "-"


def describe_row(row: ResultRow) -> dict[str, Any]:
    """Return the details of a row: facts, problems, the command that makes it, and its runs."""
    records, runs = [run.record for run in row.runs if run.record is not None], _list_runs(row)
    stale = sum(run.is_stale for run in row.done)
    facts = {
        "Method": f"{row.method}: {row.title}" if row.title else row.method,
        "Variant": "" if row.is_imported else ", ".join(dict.fromkeys(record.spec.variant for record in records)),
        "Study": row.study,
        "Supervision": describe_supervision(row.supervision),
        "Backbone": row.traits.backbone,
        "Extra models": describe_extra_models(row.traits),
        "Training": describe_budget(row),
        "Engine": ", ".join(dict.fromkeys(record.spec.engine for record in records)),
        "Protocol": ", ".join(dict.fromkeys(record.spec.protocol.name for record in records)),
        "Reconstruction": row.reconstruction,
        "Results": _describe_freshness(len(row.done), stale),
        "Commits": ", ".join(dict.fromkeys(record.environment.commit[:12] or "none" for record in records)),
        "Arithmetic": "" if row.is_imported else ", ".join(dict.fromkeys(_list_arithmetic(records))),
    }
    return {
        "facts": {name: clean_text(text) for name, text in facts.items() if text},
        "problems": [*_list_stale(row), *_list_problems(row), *describe_alarms(row)],
        "command": make_command([record.spec for record in records], runs=runs),
        "check": f"chimera-bench verify {row.done[0].run_id}" if row.done and not row.is_imported else "",
        "runs": [describe_run(run, split=split) for run, (split, _) in zip(row.runs, runs, strict=True)],
    }


def _list_runs(row: ResultRow) -> list[tuple[str, int]]:
    """Return split and seed of every run of a row, done or not."""
    members = row.members if isinstance(row, PooledRow) else (row,)
    splits = {run.run_id: member.split for member in members for run in member.runs}
    return [(splits[run.run_id], run.seed) for run in row.runs]


def describe_run(run: RunResult, *, split: str) -> list[str | int]:
    """Return the values of a run on a split, in the order of `RUN_FIELDS`."""
    record, scores = run.record, run.scores
    cost = None if record is None else record.cost
    return [
        split,
        run.seed,
        run.state.value,
        *(f"{value:.1f}" if value is not None and value == value else UNKNOWN for value in _list_scores(scores)),
        UNKNOWN if scores is None else "stale" if run.is_stale else "current",
        UNKNOWN if cost is None else f"{format_three_digits(cost.train_seconds)} s",
        UNKNOWN if cost is None else f"{cost.peak_memory_mb:.0f} MB",
        UNKNOWN if record is None else record.attempts,
        UNKNOWN if record is None else record.environment.commit[:12] or "none",
        UNKNOWN if record is None else record.environment.device,
        run.run_id,
    ]


def make_command(specs: list[RunSpec], *, runs: Sequence[tuple[str, int]]) -> str:
    """Return the command that makes the runs of a row; empty if there is none, as for imported labels.

    The command names no folder of a machine: of files outside of the package, it has the names alone.

    Args:
        specs: Specs of runs, which differ in split and seed alone.
        runs: Split and seed of all runs, of which some may have no spec.
    """
    if not specs or specs[0].is_imported:
        return ""
    first = specs[0]
    words = ["chimera-bench", "run", f"{_name_file(first.source) or first.method}/{first.variant}"]
    files = {spec.split: _name_file(spec.split_source) or spec.split for spec in specs}
    for split in dict.fromkeys(split for split, _ in runs):
        words += ["--split", files.get(split, split)]
    words += ["--protocol", first.protocol.name]
    words += ["--engine", first.engine] if first.engine != "fabric" else []
    for seed in sorted({seed for _, seed in runs}):
        words += ["--seed", str(seed)]
    words += ["--weights", first.weights.name] if first.weights is not None else []
    for key, value in sorted(first.overrides.items()):
        if key != "weights":
            words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    words += ["--max-images", str(first.max_images)] if first.max_images else []
    return shlex.join(words)


def _name_file(path: str) -> str:
    """Return the name of a file in the current folder; empty if there is no path."""
    return f"./{PurePath(path).name}" if path else ""


def _list_scores(scores: Any) -> list[float | None]:
    return [getattr(scores, name, None) for name in ("miou_seen", "miou_unseen", "hiou")]


def _list_arithmetic(records: Iterable[RunRecord]) -> list[str]:
    return [describe_arithmetic(record.environment) for record in records]


def _describe_freshness(done: int, stale: int) -> str:
    if not done:
        return "no run is done"
    fresh = f"{done - stale} of {done} runs current"
    return f"{fresh}, {stale} stale: made by other code or inputs than the present ones" if stale else fresh


def _list_stale(row: ResultRow) -> list[str]:
    reasons = dict.fromkeys(summarize_changes(run.changes) for run in row.done if run.is_stale)
    contracts = dict.fromkeys(run.contract for run in row.done if run.contract)
    return [f"stale: {reason}" for reason in reasons] + list(contracts)


def _list_problems(row: ResultRow) -> list[str]:
    some = [run for run in row.runs if run.scores is None]
    problems: dict[str, list[RunResult]] = {}
    for run in some:
        words = run.problem if run.state in (run.problem, RunState.DONE) else f"{run.state}: {run.problem}"
        problems.setdefault(clean_text(words), []).append(run)
    return [f"{row.name_runs(runs)} {text}" for text, runs in problems.items()]
