"""Compute of studies: one row per row of the table and kind of machine, made of attempts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmark.core.plan import Plan, PlanRow
from benchmark.core.run_record import Cost, RunRecord
from benchmark.report.compute.attempt_times import AttemptTime, Ending, read_attempt_times
from benchmark.report.compute.machine_kind import MachineKind, find_machines
from benchmark.store.reruns import list_replaced
from benchmark.store.store import Store
from benchmark.utils.forked_map import map_forked

BATCH = 128
"""Runs whose attempts a process reads before it hands them over."""


@dataclass(frozen=True)
class ComputeRow:
    """Attempts at the runs of one row on one kind of machine.

    Attributes:
        label: Label of the row.
        machine: Kind of machine.
        attempts: Attempts.
        devices: Number of GPUs of a run by its ID; runs that are not in it had an unknown number.
        is_tuning: Whether the runs were tuning trials.
    """

    label: str
    machine: MachineKind
    attempts: tuple[AttemptTime, ...]
    devices: Mapping[str, int] = field(default_factory=dict)
    is_tuning: bool = False

    @property
    def done(self) -> tuple[AttemptTime, ...]:
        """Attempts that gave the results of their runs."""
        return self.select(Ending.DONE)

    @property
    def further(self) -> tuple[AttemptTime, ...]:
        """Attempts that failed, were interrupted, or gave results that others have replaced."""
        return tuple(attempt for attempt in self.attempts if attempt.ending is not Ending.DONE)

    @property
    def run_seconds(self) -> list[float]:
        """Seconds of every run that is done, with the training that it continued."""
        walls = [(attempt.seconds or 0.0, cost) for attempt, cost in self._measured]
        return [max(wall, cost.train_seconds if cost is not None else 0.0) for wall, cost in walls]

    @property
    def median_seconds(self) -> float | None:
        """Median seconds of a run; None if none is done."""
        return median(self.run_seconds) if self.done else None

    @property
    def train_seconds(self) -> float | None:
        """Seconds of training of the runs that are done; None if they are not recorded."""
        known = [cost.train_seconds for _, cost in self._measured if cost is not None]
        return sum(known) if len(known) == len(self.done) and known else None

    @property
    def rest_seconds(self) -> float | None:
        """Seconds of the runs that are done beside their training; None if they are not recorded."""
        if self.train_seconds is None:
            return None
        return sum(max(0.0, (done.seconds or 0.0) - cost.train_seconds) for done, cost in self._measured if cost)

    @property
    def peak_memory_mb(self) -> float | None:
        """Largest peak memory of a process; None if it is not recorded."""
        return max((cost.peak_memory_mb for _, cost in self._measured if cost is not None), default=None)

    @property
    def num_unknown(self) -> int:
        """Number of attempts of unknown time."""
        return sum(attempt.seconds is None for attempt in self.attempts)

    @property
    def is_least(self) -> bool:
        """Whether the row took at least the recorded time, and perhaps longer."""
        return any(attempt.seconds is None or attempt.is_least for attempt in self.attempts)

    @property
    def gpu_seconds(self) -> float | None:
        """Seconds times GPUs of all attempts, one GPU where the number is unknown; None for runs without a GPU."""
        if not self.machine.is_gpu:
            return None
        return sum((attempt.seconds or 0.0) * self.devices.get(attempt.run_id, 1) for attempt in self.attempts)

    @property
    def has_unknown_devices(self) -> bool:
        """Whether the number of GPUs of a run is unknown."""
        return self.machine.is_gpu and any(attempt.run_id not in self.devices for attempt in self.attempts)

    def select(self, ending: Ending) -> tuple[AttemptTime, ...]:
        """Return the attempts that ended in one way."""
        return tuple(attempt for attempt in self.attempts if attempt.ending is ending)

    @property
    def _measured(self) -> list[tuple[AttemptTime, Cost | None]]:
        return [(attempt, attempt.record.cost if attempt.record is not None else None) for attempt in self.done]


@dataclass(frozen=True)
class Compute:
    """Compute of studies.

    Attributes:
        title: Caption.
        rows: Rows of the studies, in their order.
        tuning: Rows of the studies of tuning trials, one per study and kind of machine; empty if none were named.
        tuning_names: Names of these studies.
        num_never_run: Number of planned runs without any attempt.
        num_imported: Number of imported predictions, whose compute is unknown.
    """

    title: str
    rows: tuple[ComputeRow, ...]
    tuning: tuple[ComputeRow, ...] = ()
    tuning_names: tuple[str, ...] = ()
    num_never_run: int = 0
    num_imported: int = 0


def sum_seconds(attempts: Iterable[AttemptTime]) -> float:
    """Return the seconds of attempts that are on record."""
    return sum(attempt.seconds or 0.0 for attempt in attempts)


@dataclass(frozen=True)
class _Sources:
    """What attempts are read from, see `collect_compute` and `read_attempt_times`."""

    store: Store
    devices: Mapping[str, int]
    results: Mapping[str, RunRecord]
    replaced: Mapping[str, Sequence[Path]]

    def read_all(self, run_ids: Sequence[str]) -> dict[str, list[AttemptTime]]:
        """Return the attempts of runs by their IDs; those whose files are to be read are read by several processes."""
        unread = [run_id for run_id in run_ids if run_id not in self.results]
        read = dict(zip(unread, map_forked(self._read, unread, batch=BATCH), strict=True))
        return {run_id: read[run_id] if run_id in read else self._read(run_id) for run_id in run_ids}

    def _read(self, run_id: str) -> list[AttemptTime]:
        return read_attempt_times(self.store, run_id, replaced=self.replaced, result=self.results.get(run_id))


def collect_compute(
    store: Store,
    plan: Plan,
    *,
    tuning: Sequence[Plan] = (),
    devices: Mapping[str, int] | None = None,
    results: Mapping[str, RunRecord] | None = None,
) -> Compute:
    """Collect the compute of a plan.

    Args:
        store: Store that holds the runs.
        plan: Plan of the rows, such as `named_rows.make_plan` returns it.
        tuning: Plans of tuning trials; runs that several plans share count once, in the first.
        devices: Number of processes, each with a GPU, of runs by their ID, as the scheduler was asked for them.
        results: Records of results that were read with their counts just now, by the IDs of their runs.
    """
    sources = _Sources(store, devices or {}, results or {}, list_replaced(store))
    seen: set[str] = set()
    imported: set[str] = set()
    rows = _collect_rows(sources, _name_rows(plan.rows), seen, imported)
    num_attempted = len({attempt.run_id for row in rows for attempt in row.attempts})
    num_never_run = len(seen) - len(imported) - num_attempted
    trials = [(name.study, row) for name in tuning for row in name.rows]
    trial_rows = _collect_rows(sources, trials, seen, imported, is_tuning=True)
    names = tuple(dict.fromkeys(name.study for name in tuning))
    return Compute(plan.title, tuple(rows), tuple(trial_rows), names, num_never_run, len(imported))


def _name_rows(rows: Sequence[PlanRow]) -> list[tuple[str, PlanRow]]:
    """Return rows with their labels, with the method before labels that several methods have."""
    methods: dict[str, set[str]] = {}
    for row in rows:
        methods.setdefault(row.label, set()).add(row.method)
    return [(row.label if len(methods[row.label]) == 1 else f"{row.method}/{row.label}", row) for row in rows]


def _collect_rows(
    sources: _Sources,
    rows: Sequence[tuple[str, PlanRow]],
    seen: set[str],
    imported: set[str],
    *,
    is_tuning: bool = False,
) -> list[ComputeRow]:
    """Return one row per name and kind of machine, in the order of the names; each run that was seen is left out."""
    groups: dict[str, dict[MachineKind, list[AttemptTime]]] = {}
    counts: dict[str, int] = {}
    ids = [run_id for _, row in rows for run_id in row.ids.values()]
    known = sources.read_all([run_id for run_id in dict.fromkeys(ids) if run_id not in seen])
    for name, row in rows:
        group = groups.setdefault(name, {})
        for run_id in row.ids.values():
            if run_id in seen:
                continue
            seen.add(run_id)
            attempts = known[run_id]
            if not attempts and _is_imported(sources.store, run_id):
                imported.add(run_id)
            counts |= _count_devices(attempts, sources.devices)
            for attempt, machine in zip(attempts, find_machines(attempts), strict=True):
                group.setdefault(machine, []).append(attempt)
    return [
        ComputeRow(name, machine, tuple(group[machine]), counts, is_tuning)
        for name, group in groups.items()
        for machine in sorted(group)
    ]


def _count_devices(attempts: Sequence[AttemptTime], devices: Mapping[str, int]) -> dict[str, int]:
    """Return the number of GPUs of a run by its ID: one if it cannot have had several, nothing if it is unknown."""
    specs = [attempt.record.spec for attempt in attempts if attempt.record is not None]
    if not specs:
        return {}
    is_single = specs[0].budget.micro_batches == 1  # several processes share a run by its micro-batches
    run_id = attempts[0].run_id
    return {run_id: 1} if is_single else {key: devices[key] for key in [run_id] if key in devices}


def _is_imported(store: Store, run_id: str) -> bool:
    record = store.run(run_id).read_snapshot().record
    return record is not None and record.imported is not None
