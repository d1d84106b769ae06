"""Times of finished runs in the store, and estimates from them: of whole runs, or scaled from shorter ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from benchmark.core.run_name import make_text
from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.planning.pace_key import count_eval_images
from benchmark.planning.run_time import RunTime
from benchmark.store.row_labels import shorten_id
from benchmark.store.store import Store
from benchmark.utils.frozen_model import format_canonical_json

NAMED_RUNS = 3
"""Largest number of runs that an explanation names."""


@dataclass(frozen=True)
class Measurement:
    """Times of a finished run.

    Attributes:
        record: Record of the run.
        trained_images: Training images of all steps.
        train_s: Seconds in training.
        scored_images: Number of scored images.
        rest_s: Seconds in everything else: start, scoring, measuring the cost.
        memory_mb: Peak resident memory of the process.
    """

    record: RunRecord
    trained_images: int
    train_s: float
    scored_images: int
    rest_s: float
    memory_mb: float


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


def estimate_from_runs(spec: RunSpec, records: Sequence[RunRecord], *, on_gpu: bool = False) -> RunTime | None:
    """Return the time of a run from finished runs of its config that are as long; None if there are none.

    Args:
        spec: Spec of the run.
        records: Records of finished runs, see `read_finished`.
        on_gpu: Whether only runs on a GPU count.
    """
    same = [record for record in records if _is_alike(record, spec) and _has_same_config(record, spec)]
    whole = [record for record in same if _is_as_long(record, spec)]
    measured = _measure(whole, on_gpu=on_gpu)
    if not measured:
        return None
    pace = _compute_pace(measured, has_same_config=True)
    memory_gb = max(item.memory_mb for item in measured if item.record.spec.id in pace.ids) / 1024
    return _make_time(spec, pace, kind="measured", memory_gb=None if pace.is_gpu else (memory_gb, memory_gb))


def extrapolate_from_runs(spec: RunSpec, records: Sequence[RunRecord]) -> RunTime | None:
    """Return the time of a run from finished runs of another length, or of its variant with other settings.

    Times are scaled to the number of images that are trained and scored, and the result says so; None if no such run
    is finished.
    """
    alike = [record for record in records if _is_alike(record, spec)]
    same = [record for record in alike if _has_same_config(record, spec)]
    measured = _measure(same or [record for record in alike if record.spec.variant == spec.variant])
    if not measured:
        return None
    pace = _compute_pace(measured, has_same_config=bool(same))
    if count_trained(spec) and pace.train_s is None:
        return None
    return _make_time(spec, pace, kind="extrapolated", memory_gb=None)


def _make_time(spec: RunSpec, pace: Pace, *, kind: str, memory_gb: tuple[float, float] | None) -> RunTime:
    """Return the time of a run at a pace."""
    trained, scored = count_trained(spec), count_scored(spec)
    seconds = trained * (pace.train_s or 0.0) + scored * pace.rest_s
    scale = max(trained / max(pace.trained_images, 1), scored / max(pace.scored_images, 1))
    count = f"{len(pace.ids)} run{'s' * (len(pace.ids) != 1)}"
    threads = f"{pace.threads} thread{'s' * (pace.threads != 1)}"
    some = ", ".join(shorten_id(run_id) for run_id in pace.ids[:NAMED_RUNS])
    more = ", …" if len(pace.ids) > NAMED_RUNS else ""
    other = "" if pace.has_same_config else " of the variant with other settings"
    length = f"; the plan's run is {scale:.3g} times as long" if kind == "extrapolated" else ""
    finished = count.replace(" ", " finished ")
    return RunTime(
        seconds=(seconds, seconds),
        is_gpu=pace.is_gpu,
        threads=pace.threads,
        basis=finished if kind == "measured" else f"extrapolated x{scale:.3g} from {finished}{other}",
        kind=kind,
        explanation=f"{count}{other} on {pace.device}, {threads} ({some}{more}){length}",
        memory_gb=memory_gb,
        facts={
            "runs": list(pace.ids),
            "has_same_config": pace.has_same_config,
            "device": pace.device,
            "threads": pace.threads,
            "seconds_per_training_image": pace.train_s,
            "seconds_per_scored_image": pace.rest_s,
            "scale": scale,
        },
    )


def read_finished(store: Store, methods: Iterable[str]) -> list[RunRecord]:
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


def _measure(records: Iterable[RunRecord], *, on_gpu: bool = False) -> list[Measurement]:
    """Return the times of runs, without those whose times are unknown.

    Args:
        records: Records of runs on one dataset.
        on_gpu: Whether only runs on a GPU count.
    """
    measured = []
    for record in records:
        scored, cost = count_scored(record.spec), record.cost
        if on_gpu and record.environment.machine.gpu is None:
            continue
        if cost is None or (record.attempts > 1 and cost.latency_ms is None):
            continue
        if record.attempts == 1:
            took = datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)
            rest_s = max(took.total_seconds() - cost.train_seconds, 0.0)
        else:  # the record tells only when the last attempt began
            rest_s = scored * (cost.latency_ms or 0.0) / 1000
        measured.append(
            Measurement(record, count_trained(record.spec), cost.train_seconds, scored, rest_s, cost.peak_memory_mb)
        )
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


def _is_alike(record: RunRecord, spec: RunSpec) -> bool:
    return _get_setting(record.spec) == _get_setting(spec)


def _has_same_config(record: RunRecord, spec: RunSpec) -> bool:
    return record.spec.config_identity == spec.config_identity


def _is_as_long(record: RunRecord, spec: RunSpec) -> bool:
    """Return whether a finished run trained and scored as many images in as many steps as another one will."""
    budgets = [(budget.iterations, budget.batch_size) for budget in (record.spec.budget, spec.budget)]
    return budgets[0] == budgets[1] and count_scored(record.spec) == count_scored(spec)


def count_trained(spec: RunSpec) -> int:
    """Return the number of training images of all steps of a run."""
    return spec.budget.iterations * spec.budget.batch_size


def count_scored(spec: RunSpec) -> int:
    """Return the number of images that a run scores."""
    size = count_eval_images(spec.split_source or spec.split)
    return min(spec.max_images or size, size)
