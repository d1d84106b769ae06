"""Notes below a table: everything a reader needs so that its numbers are not misread."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from textwrap import shorten

from benchmark.core.split import load_split
from benchmark.evaluation.scores import Convention
from benchmark.report.alarms import describe_alarms
from benchmark.report.imported import describe_imported
from benchmark.report.official_weights import TRAINED_ELSEWHERE, describe_weights
from benchmark.report.result_row import ResultRow, RunResult
from benchmark.report.settings import EvaluationSetting
from benchmark.report.split_names import list_splits
from benchmark.report.study_results import GroupResults, StudyResults
from benchmark.report.tables.provenance import describe_continued, describe_row_arithmetic, join_distinct
from benchmark.report.tables.row_settings import describe_own_settings
from benchmark.report.tables.split_notes import describe_pool
from benchmark.report.tables.stale_notes import describe_stale_rows

CONVENTION_TEXTS: dict[Convention, str] = {
    "d2-main": "a class without ground truth is left out",
    "d2-0.6": "a class without ground truth counts as 0 if it is predicted, and is left out otherwise",
    "mmseg": (
        "a class without ground truth counts as 0 if it is predicted; means are rounded to two decimals, differences "
        "are those of unrounded means"
    ),
}

MAX_PROBLEM = 400
"""Characters of a problem of a run that a note shows."""
NO_SUPERVISION = "none"
"""Supervision of a method that trains nothing, whatever its budget."""


def describe_settings(results: StudyResults) -> list[str]:
    """Return the notes on splits, protocols and convention, each once; a single note if no run is done."""
    engine = _find_usual(results.rows, _describe_engine)
    groups = [group for group in results.groups if group.setting is not None]
    texts = [
        text for group in groups for text in _describe_group(group, engine=engine, is_only=len(results.groups) == 1)
    ]
    return list(dict.fromkeys(texts)) or ["No run is done yet."]


def describe_limits(results: StudyResults) -> list[str]:
    """Return one warning per number of first images that alone were scored, with its groups unless it is all."""
    limits: dict[int, list[str]] = {}
    for group in results.groups:
        if group.setting is not None:
            limits.setdefault(group.setting.max_images, []).append(group.name)
    places = {limit: f"{list_splits(names)}: " if len(limits) > 1 else "" for limit, names in limits.items()}
    return [
        f"{place}TESTING ONLY: scored on the first {limit} images of the evaluation set."
        for limit, place in places.items()
        if limit
    ]


def _describe_group(group: GroupResults, *, engine: str, is_only: bool) -> list[str]:
    """Return the notes on split, protocol and convention of a group.

    Args:
        group: Rows with a setting.
        engine: Usual engine of the table; empty for none.
        is_only: Whether the table has no other group.
    """
    assert group.setting is not None
    counts = next(counts for row in group.rows for counts in row.counts)
    done = next(row for row in group.rows if row.records)
    protocol = done.records[0].spec.protocol
    seen, place = sum(counts.seen), "" if is_only else f", protocol {protocol.name}"
    numbers = f"{seen} seen and {len(counts.seen) - seen} unseen classes"
    rest = f"{len(counts.image_ids)} images{place}{f', engine {engine}' if engine else ''}."
    split = f"Split {group.name}: {numbers}, {rest}"
    if group.splits:
        split = f"{describe_pool(group)} Each has {numbers}, {rest}"
    warnings = dict.fromkeys(_describe_split(part.setting) for part in group.splits or (group,))
    gamma = f"Offset gamma of the seen classes: {describe_gamma(done)}."
    rules = f"Protocol {protocol.name}: {protocol.describe()}. {gamma}"
    convention = group.setting.convention
    scores = f"Scores in percent; IoU convention {convention}: {CONVENTION_TEXTS[convention]}."
    return [split, *filter(None, warnings), rules, scores]


def describe_costs(results: StudyResults) -> list[str]:
    """Return the note on parameters, operations and times; none if no cost was measured."""
    rows = results.rows
    costs = [row.cost for row in rows]
    sizes = sorted({"x".join(map(str, cost.image_size)) for cost in costs if cost and cost.image_size})
    if not sizes:
        known = "Params: trainable / total at test. Train: wall time of training, median over the runs."
        return [f"{known} Other figures of cost were not measured."] if any(costs) else []
    device = _find_usual(rows, _describe_device)
    return [
        f"Params: trainable / total at test. GFLOPs: one test image of {' or '.join(sizes)}, a multiply-add counts as "
        f"two. Train, Test: wall time of training and of one image, medians over the runs"
        f"{f' on {device}' if device else ''}."
    ]


def describe_sources(rows: Sequence[ResultRow]) -> list[str]:
    """Return the notes on training budgets, reconstruction and the runs behind the table."""
    budget, reconstruction = _find_usual(rows, describe_budget), _find_shared(rows, _describe_reconstruction)
    runs = len({record.spec.id for row in rows for record in row.records})
    exception = "" if _find_shared(rows, describe_budget) else ", except where marked"
    notes = [f"Training: {budget}{exception}."] if budget else []
    notes += [f"{reconstruction}."] if reconstruction else []
    if runs:
        notes.append(
            f"From {runs} run{'s' if runs > 1 else ''} ({digest_runs(rows)}); "
            f"{'its id is' if runs == 1 else 'their ids are'} in the csv and json formats of this table."
        )
    return notes


def describe_rows(rows: Sequence[ResultRow]) -> list[list[str]]:
    """Return the notes on single rows: differences from most other rows, and problems of their runs."""
    usual = {describe: _find_usual(rows, describe) for describe in PREFIXES}
    shared = _find_shared(rows, _describe_reconstruction)
    known = describe_own_settings(rows), describe_stale_rows(rows)
    notes = []
    for row, settings, stale in zip(rows, *known, strict=True):
        reconstruction = _describe_reconstruction(row)
        texts = describe_imported(row) + describe_weights(row) + ([f"with {settings}"] if settings else [])
        texts += [reconstruction] if reconstruction != shared and not row.is_imported else []
        for describe, prefix in PREFIXES.items():
            text = describe(row)
            texts += [prefix + text] if text not in ("", TRAINED_ELSEWHERE, usual[describe]) else []
        problems = _describe_problems(row) + stale + describe_continued(row) + describe_alarms(row)
        notes.append([text for text in texts if text] + problems)
    return notes


def describe_budget(row: ResultRow) -> str:
    """Return the training of the row's runs in words, whatever budget trains nothing; empty if it is not known."""
    if not row.records or row.is_imported:
        return ""
    if row.records[0].spec.is_published_result:
        return TRAINED_ELSEWHERE
    budget = row.records[0].spec.budget
    if not budget.iterations or row.supervision == NO_SUPERVISION:
        return "no training"
    micro_batches = f" in {budget.micro_batches} micro-batches" if budget.micro_batches > 1 else ""
    return (
        f"{budget.iterations} iterations of {budget.batch_size} images{micro_batches}, learning rate "
        f"{budget.learning_rate:g}, weight decay {budget.weight_decay:g}, {budget.precision}"
    )


def describe_gamma(row: ResultRow) -> str:
    """Return the offset of the seen classes in words."""
    return f"{row.gamma:g} subtracted from their softmax" if row.gamma else "none"


def digest_runs(rows: Sequence[ResultRow]) -> str:
    """Return a short hash of the runs and pixel counts behind the rows."""
    known = sorted({(record.spec.id, record.counts_digest or "") for row in rows for record in row.records})
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


def _describe_split(setting: EvaluationSetting | None) -> str:
    """Return the warning of the split, if its file is still the one that the runs used."""
    if setting is None:
        return ""
    try:
        split = load_split(setting.split)
    except (KeyError, ValueError):
        return ""
    return f"On split {split.name}: {split.note}." if split.note and split.digest() == setting.split_digest else ""


def _find_usual(rows: Sequence[ResultRow], describe: Callable[[ResultRow], str]) -> str:
    """Return the description of most rows with results, the first if several are as frequent; empty if none repeats."""
    texts = [describe(row) for row in rows if row.records and not row.is_imported]
    if not any(texts):
        return ""
    text, times = Counter(texts).most_common(1)[0]
    return text if times > 1 or len(texts) == 1 else ""


def _find_shared(rows: Sequence[ResultRow], describe: Callable[[ResultRow], str]) -> str:
    """Return the description that all rows with results share; empty if they differ."""
    texts = {describe(row) for row in rows if row.records and not row.is_imported}
    return texts.pop() if len(texts) == 1 else ""


def _describe_reconstruction(row: ResultRow) -> str:
    return f"Reconstruction: {row.reconstruction.rstrip('.')}" if row.reconstruction else ""


def _describe_engine(row: ResultRow) -> str:
    return "" if row.is_imported else join_distinct(row, lambda record: record.spec.engine)


def _describe_device(row: ResultRow) -> str:
    if row.is_imported:
        return ""
    return join_distinct(
        row, lambda record: f"{record.environment.device}, torch threads: {record.environment.threads}"
    )


def _describe_problems(row: ResultRow) -> list[str]:
    """Return one text per problem of the row's runs, with the runs that have it."""
    runs: dict[str, list[RunResult]] = {}
    for run in row.runs:
        if run.scores is None:
            text = run.problem if run.state == run.problem else f"{run.state}: {run.problem}"
            runs.setdefault(shorten(text, MAX_PROBLEM, placeholder=" …"), []).append(run)
    return [f"{row.name_runs(some)} {text}" for text, some in runs.items()]


PREFIXES: dict[Callable[[ResultRow], str], str] = {
    describe_budget: "",
    _describe_engine: "engine ",
    _describe_device: "measured on ",
    describe_row_arithmetic: "computed under ",
}
"""Descriptions that a note on a row repeats if they differ from those of most rows, and the words before them."""
