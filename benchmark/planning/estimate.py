"""Estimates of how long the runs of a plan will take and how much memory they need; every number says its basis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmark.core.run_record import digest_code
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.planning.finished_runs import estimate_from_runs, extrapolate_from_runs, read_finished
from benchmark.planning.pace_key import make_pace_key
from benchmark.planning.pace_times import TargetGpu, compute_for_gpu, estimate_from_pace
from benchmark.planning.run_code import describe_code
from benchmark.planning.run_time import RunTime
from benchmark.planning.selection import Selection
from benchmark.store.paces import MeasuredPace, read_paces
from benchmark.store.store import Store

Source = Callable[[RunSpec], RunTime | None]
"""Function that estimates a run; None if it knows nothing about it."""


@dataclass(frozen=True)
class RowEstimate:
    """Estimate of the runs of a row.

    Attributes:
        label: Name of the row.
        split: Name of the split.
        runs: Number of runs.
        left: Number of runs that are not done.
        time: Time and memory of a run; None if nothing is known about it.
    """

    label: str
    split: str
    runs: int
    left: int
    time: RunTime | None = None


def estimate_rows(selection: Selection, store: Store, *, gpu: TargetGpu | None = None) -> list[RowEstimate]:
    """Estimate the runs of each row of a selection.

    A row is estimated from finished runs of its config that are as long, on the same data under the same protocol and
    engine; without them, from its measured pace; without that, from other finished runs, scaled. For a GPU, those on a
    GPU count, and without them, its time is computed from the operations of a measured pace.

    Args:
        selection: Selection with a plan.
        store: Store that holds the runs and paces.
        gpu: GPU that the runs will have; None for the machines that they were measured on.
    """
    chosen = set(selection.ids)
    rows = [] if selection.plan is None else selection.plan.rows
    wanted = [(row, ids) for row in rows if (ids := [run_id for run_id in row.ids.values() if run_id in chosen])]
    specs = selection.make_specs([ids[0] for _, ids in wanted])
    sources = _list_sources(store, {spec.method for spec in specs}, gpu=gpu)
    estimates = []
    for (row, ids), spec in zip(wanted, specs, strict=True):
        left = sum(store.run(run_id).read_state() is not RunState.DONE for run_id in ids)
        time = next((time for source in sources if (time := source(spec)) is not None), None)
        estimates.append(RowEstimate(row.label, row.split, len(ids), left, time))
    return estimates


def sum_hours(rows: Iterable[RowEstimate], *, only_left: bool = False) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest number of hours of runs, by unit; rows that nothing is known about are left out.

    Args:
        rows: Estimates of rows.
        only_left: Whether runs that are done are left out.
    """
    totals: dict[str, tuple[float, float]] = {}
    for row in rows:
        if row.time is not None:
            low, high = row.time.compute_hours(row.left if only_left else row.runs)
            low_sum, high_sum = totals.get(row.time.unit, (0.0, 0.0))
            totals[row.time.unit] = (low_sum + low, high_sum + high)
    return totals


class _KnownPaces:
    """Paces that were measured with the present code.

    Args:
        paces: Paces, the latest last.
    """

    def __init__(self, paces: Sequence[MeasuredPace]) -> None:
        self._paces = paces
        self._code: dict[str, str] = {}

    def find(self, spec: RunSpec, *, on_gpu: bool = False) -> MeasuredPace | None:
        """Return the latest pace of the setting of a run, on a GPU if asked; None if there is none."""
        key = make_pace_key(spec)
        known = [pace for pace in self._paces if pace.key == key and (pace.is_gpu or not on_gpu)]
        if known and key not in self._code:
            self._code[key] = digest_code(describe_code(spec))  # equal for equal keys; reading it takes a while
        return next((pace for pace in reversed(known) if pace.code == self._code[key]), None)


def _list_sources(store: Store, methods: set[str], *, gpu: TargetGpu | None) -> list[Source]:
    """Return the sources of estimates, the best one first."""
    records, paces = read_finished(store, methods), _KnownPaces(read_paces(store, methods))

    def use_pace(spec: RunSpec) -> RunTime | None:
        pace = paces.find(spec, on_gpu=gpu is not None)
        return None if pace is None else estimate_from_pace(spec, pace, gpu=gpu)

    def compute(spec: RunSpec) -> RunTime | None:
        pace = paces.find(spec)
        return None if pace is None or gpu is None else compute_for_gpu(spec, pace, gpu)

    def use_runs(spec: RunSpec) -> RunTime | None:
        return estimate_from_runs(spec, records, on_gpu=gpu is not None)

    def extrapolate(spec: RunSpec) -> RunTime | None:
        return extrapolate_from_runs(spec, records)

    return [use_runs, use_pace, extrapolate if gpu is None else compute]
