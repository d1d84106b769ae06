"""Cautions of a comparison: what else differs between its sides, and what makes its intervals unreliable."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmark.evaluation.scores import Metric
from benchmark.report.alarms import describe_alarms
from benchmark.report.differences import AdjustedDifference
from benchmark.report.imported import describe_imported
from benchmark.report.official_weights import describe_weights
from benchmark.report.result_row import ResultRow, RunResult
from benchmark.report.tables.cautions import name_cautions
from benchmark.report.tables.headers import SCORE_HEADERS
from benchmark.report.tables.notes import describe_budget
from benchmark.report.tables.provenance import (
    describe_conflicts,
    describe_continued,
    describe_row_arithmetic,
    join_distinct,
)
from benchmark.report.tables.row_settings import describe_own_settings
from benchmark.report.tables.stale_notes import describe_stale
from benchmark.report.tables.traits import compare_traits

UNKNOWN_OF_IMPORTS = ("training", "engine", "device", "arithmetic")
"""Properties of runs that are not known of imported predictions."""


def find_interval_cautions(differences: Mapping[Metric, AdjustedDifference]) -> list[str]:
    """Return the reasons why intervals of differences are unreliable, each once."""
    cautions = {SCORE_HEADERS[metric]: known.paired.interval.caution for metric, known in differences.items()}
    return [f"the interval of A - B ({text})" for text in name_cautions(cautions)]


def find_cautions(a: ResultRow, b: ResultRow) -> tuple[str, ...]:
    """Return what differs between two sides beside the methods, and what speaks against their runs."""
    has_seeds, is_any_imported = not (a.is_deterministic or b.is_deterministic), a.is_imported or b.is_imported
    properties: dict[str, Callable[[ResultRow], str]] = {
        "supervision": lambda row: row.supervision,
        "training": describe_budget,
        "engine": lambda row: join_distinct(row, lambda record: record.spec.engine),
        "device": lambda row: join_distinct(row, lambda record: record.environment.device),
        "arithmetic": describe_row_arithmetic,
        "seeds": lambda row: _list_seeds(row) if has_seeds else "",
    }
    cautions = [
        f"different {name}: A {describe(a) or 'none'}; B {describe(b) or 'none'}"
        for name, describe in properties.items()
        if describe(a) != describe(b) and not (is_any_imported and name in UNKNOWN_OF_IMPORTS)
    ]
    cautions += [f"different {text}" for text in compare_traits(a.traits, b.traits)]
    settings = describe_own_settings([a, b])
    if any(settings):
        cautions.append("different settings: A {}; B {}".format(*(text or "those of its variant" for text in settings)))
    for side, row in (("A", a), ("B", b)):
        cautions += [f"{side}: {text}" for text in describe_imported(row) + describe_weights(row)]
    cautions += _describe_shared_runs(a, b)
    if not is_any_imported:
        cautions += [f"different {text}" for text in describe_conflicts([*a.records, *b.records])]
    for side, row in (("A", a), ("B", b)):
        cautions += [f"{side}: {text}" for text in describe_stale(row) + describe_continued(row) + describe_alarms(row)]
        cautions += [f"{side}: {text}" for text in _describe_left_out(row)]
    return tuple(cautions)


def _list_seeds(row: ResultRow) -> str:
    """Return the seeds of the done runs, split by split if they differ between splits."""
    seeds = {split: ", ".join(map(str, side.seeds)) for split, side in row.sides.items()}
    if len(set(seeds.values())) == 1:
        return next(iter(seeds.values()))
    return "; ".join(f"{some} on {split}" for split, some in seeds.items())


def _describe_left_out(row: ResultRow) -> list[str]:
    """Return one text per problem of runs without a score, with the runs that have it."""
    runs: dict[str, list[RunResult]] = {}
    for run in row.runs:
        if run.scores is None:
            runs.setdefault(run.problem, []).append(run)
    return [
        f"{row.name_runs(some)} {'is' if len(some) == 1 else 'are'} left out ({problem})"
        for problem, some in runs.items()
    ]


def _describe_shared_runs(a: ResultRow, b: ResultRow) -> list[str]:
    """Return the caution that runs take part on both sides; none if none does."""
    ids_a, ids_b = ({run.run_id for run in row.counted} for row in (a, b))
    shared = sorted(ids_a & ids_b)
    if not shared:
        return []
    return ["A and B are the same runs" if ids_a == ids_b else f"A and B share runs: {', '.join(shared)}"]
