"""Estimates of how long runs will take, from finished runs of the same method in the store; never without one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from statistics import median

from benchmark.core.run_name import make_text
from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.core.split import load_split
from benchmark.data.catalog import open_dataset
from benchmark.planning.selection import Selection
from benchmark.store.store import Store
from benchmark.utils.frozen_model import format_canonical_json

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Measurement:
    """Times of a finished run.

    Attributes:
        record: Record of the run.
        trained_images: Training images of all steps.
        train_s: Seconds in training.
        scored_images: Number of scored images.
        rest_s: Seconds in everything else: start, scoring, measuring the cost.
    """

    record: RunRecord
    trained_images: int
    train_s: float
    scored_images: int
    rest_s: float


@dataclass(frozen=True)
class Pace:
    """Median pace of finished runs on one kind of machine, which a few slow runs do not change.

    Attributes:
        ids: Ids of the runs.
        has_same_config: Whether the runs have the same config, and not only the same variant.
        device: Name of the accelerator or processor.
        is_gpu: Whether the device is an accelerator.
        threads: CPU threads of a run.
        train_s: Seconds per training image; None if the runs trained nothing.
        rest_s: Seconds per scored image for everything but training.
        trained_images: Largest number of training images of a run.
        scored_images: Largest number of scored images of a run.
    """

    ids: tuple[str, ...]
    has_same_config: bool
    device: str
    is_gpu: bool
    threads: int
    train_s: float | None
    rest_s: float
    trained_images: int
    scored_images: int

    @property
    def unit(self) -> str:
        """What an hour is an hour of: of a GPU, or of a CPU core per thread."""
        return "GPU-hours" if self.is_gpu else "CPU-hours"


@dataclass(frozen=True)
class RowEstimate:
    """Estimate of the runs of a row.

    Attributes:
        label: Name of the row.
        split: Name of the split.
        runs: Number of runs.
        left: Number of runs that are not done.
        pace: Pace that the estimate is made from; None if no run of the method's variant is finished.
        seconds: Seconds of a run; None without a pace.
        scale: Work of a run over that of the largest measured one, images trained or scored; None without a pace.
    """

    label: str
    split: str
    runs: int
    left: int
    pace: Pace | None = None
    seconds: float | None = None
    scale: float | None = None

    def compute_hours(self, runs: int) -> float | None:
        """Return the hours of a number of runs, in the unit of the pace; None without a pace."""
        if self.seconds is None or self.pace is None:
            return None
        return runs * self.seconds * (1 if self.pace.is_gpu else self.pace.threads) / SECONDS_PER_HOUR


def estimate_rows(selection: Selection, store: Store) -> list[RowEstimate]:
    """Estimate the runs of each row of a selection.

    A row is estimated from finished runs of its config on the same data under the same protocol and engine; without
    them, from those of its variant with other settings. Times are scaled to the number of images that are trained and
    scored. Runs on several kinds of machines are not mixed: those on the machine of the latest run count.

    Args:
        selection: Selection with a plan.
        store: Store that holds the runs.
    """
    chosen = set(selection.ids)
    rows = [] if selection.plan is None else selection.plan.rows
    wanted = [(row, ids) for row in rows if (ids := [run_id for run_id in row.ids.values() if run_id in chosen])]
    specs = selection.make_specs([ids[0] for _, ids in wanted])
    records = _read_records(store, {spec.method for spec in specs})
    estimates = []
    for (row, ids), spec in zip(wanted, specs, strict=True):
        left = sum(store.run(run_id).read_state() is not RunState.DONE for run_id in ids)
        estimates.append(_estimate_row(RowEstimate(row.label, row.split, len(ids), left), spec, records))
    return estimates


def sum_hours(rows: Iterable[RowEstimate]) -> dict[str, tuple[float, float]]:
    """Return the hours of all runs and of those that are not done, by unit; rows without a pace are left out."""
    totals: dict[str, tuple[float, float]] = {}
    for row in rows:
        hours, left = row.compute_hours(row.runs), row.compute_hours(row.left)
        if row.pace is not None and hours is not None and left is not None:
            all_hours, all_left = totals.get(row.pace.unit, (0.0, 0.0))
            totals[row.pace.unit] = (all_hours + hours, all_left + left)
    return totals


def _estimate_row(row: RowEstimate, spec: RunSpec, records: Sequence[RunRecord]) -> RowEstimate:
    """Return a row with its pace and seconds, if there are runs to measure them from."""
    size = _get_size(spec.split_source or spec.split)
    alike = [record for record in records if _get_setting(record.spec) == _get_setting(spec)]
    same = [record for record in alike if record.spec.config_identity == spec.config_identity]
    measured = _measure(same or [record for record in alike if record.spec.variant == spec.variant], size=size)
    if not measured:
        return row
    pace = _compute_pace(measured, has_same_config=bool(same))
    trained, scored = _count_trained(spec), _count_scored(spec, size=size)
    if trained and pace.train_s is None:
        return row
    seconds = trained * (pace.train_s or 0.0) + scored * pace.rest_s
    scale = max(trained / max(pace.trained_images, 1), scored / max(pace.scored_images, 1))
    return replace(row, pace=pace, seconds=seconds, scale=scale)


def _read_records(store: Store, methods: Iterable[str]) -> list[RunRecord]:
    """Return the records of the finished runs of some methods, without runs that were made elsewhere."""
    prefixes = tuple(make_text(method, "", {}) for method in methods)
    records = []
    for run_id in store.list_ids():
        if run_id.startswith(prefixes):
            try:
                record = store.run(run_id).read_record()
            except (ValueError, OSError):  # not finished, or broken
                continue
            if record.state is RunState.DONE and record.cost is not None and record.imported is None:
                records.append(record)
    return records


def _measure(records: Iterable[RunRecord], *, size: int) -> list[Measurement]:
    """Return the times of runs, without those whose times are unknown.

    Args:
        records: Records of runs on one dataset.
        size: Number of evaluation images of the dataset.
    """
    measured = []
    for record in records:
        scored, cost = _count_scored(record.spec, size=size), record.cost
        if cost is None or (record.attempts > 1 and cost.latency_ms is None):
            continue
        if record.attempts == 1:
            took = datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)
            rest_s = max(took.total_seconds() - cost.train_seconds, 0.0)
        else:  # the record tells only when the last attempt began
            rest_s = scored * (cost.latency_ms or 0.0) / 1000
        measured.append(Measurement(record, _count_trained(record.spec), cost.train_seconds, scored, rest_s))
    return measured


def _compute_pace(measured: Sequence[Measurement], *, has_same_config: bool) -> Pace:
    """Return the median pace of the runs on the machine of the latest one."""
    machine = _get_machine(max(measured, key=lambda item: item.record.finished))
    device, is_gpu, threads = machine
    chosen = [item for item in measured if _get_machine(item) == machine]
    trained = [item.train_s / item.trained_images for item in chosen if item.trained_images]
    return Pace(
        ids=tuple(item.record.spec.id for item in chosen),
        has_same_config=has_same_config,
        device=device,
        is_gpu=is_gpu,
        threads=threads,
        train_s=median(trained) if trained else None,
        rest_s=median(item.rest_s / max(item.scored_images, 1) for item in chosen),
        trained_images=max(item.trained_images for item in chosen),
        scored_images=max(item.scored_images for item in chosen),
    )


def _get_machine(measurement: Measurement) -> tuple[str, bool, int]:
    environment = measurement.record.environment
    return environment.device, environment.machine.gpu is not None, environment.threads


def _get_setting(spec: RunSpec) -> tuple[str, ...]:
    """Return what must be equal for the times of two runs to be comparable."""
    protocol = spec.protocol.model_dump(mode="json", include={"setting", "train_images", "train", "test", "antialias"})
    return (spec.method, spec.engine, spec.budget.precision, spec.dataset_fingerprint, format_canonical_json(protocol))


def _count_trained(spec: RunSpec) -> int:
    return spec.budget.iterations * spec.budget.batch_size


def _count_scored(spec: RunSpec, *, size: int) -> int:
    return min(spec.max_images or size, size)


@lru_cache(maxsize=32)
def _get_size(split: str) -> int:
    """Return the number of evaluation images of a split."""
    loaded = load_split(split)
    return open_dataset(loaded.dataset).size(loaded.evaluate)
