"""Alarms of runs: signs that a result is not what it seems, for the notes of a table and for a single run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from benchmark.core.run_record import SWITCHED_OFF, RunRecord
from benchmark.core.split import load_split
from benchmark.evaluation.alarm import Alarm, describe_details
from benchmark.report.result_row import ResultRow, RunResult

TOY_DATASET = "toybox"


def describe_alarms(row: ResultRow) -> list[str]:
    """Return one text per alarm of a row's runs, with the runs that have it and what holds for all of them."""
    runs: dict[str, list[RunResult]] = {}
    alarms: dict[str, list[Alarm]] = {}
    for run in row.counted:
        if run.record is None:
            continue
        for alarm in list_alarms(run.record, run.alarms, is_portable=run.is_portable):
            runs.setdefault(alarm.summary, []).append(run)
            alarms.setdefault(alarm.summary, []).append(alarm)
    return [f"{row.name_runs(some)}: {summary} ({describe_details(alarms[summary])})" for summary, some in runs.items()]


def list_alarms(record: RunRecord, found: Iterable[Alarm], *, is_portable: bool = False) -> list[Alarm]:
    """Return the alarms of a done run, from its counts and its record.

    Args:
        record: Record of the run.
        found: Alarms of its pixel counts, see `sanity.find_alarms`.
        is_portable: Whether a split that is no part of the package counts as unknown, as it is on other machines.
    """
    alarms = list(found)
    toys = [f"{key}=toy" for key in _find_toy_weights(record.spec.config)]
    split = record.spec.split_source or record.spec.split
    dataset = _find_dataset(split) if toys and not (is_portable and record.spec.split_source) else ""
    if dataset and dataset != TOY_DATASET:
        alarms.append(
            Alarm("toy weights, which are made for toybox, on other images", names=(f"{', '.join(toys)} on {dataset}",))
        )
    if record.cost is not None and record.cost.unmeasured not in ("", SWITCHED_OFF):
        alarms.append(Alarm("cost not measured", names=(record.cost.unmeasured,)))
    return alarms


def _find_toy_weights(config: Mapping[str, Any], *, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of the weights in a config that are made for the built-in synthetic dataset."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _find_toy_weights(value, prefix=f"{prefix}{key}.")
        elif (key, value) == ("weights", "toy"):
            yield prefix + key


@lru_cache
def _find_dataset(split: str) -> str:
    """Return the dataset of a split; empty if the split cannot be read any more."""
    try:
        return load_split(split).dataset
    except (KeyError, ValueError):
        return ""
