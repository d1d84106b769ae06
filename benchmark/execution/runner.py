"""One run, from its spec to its record: the whole path of the suite."""

from __future__ import annotations

import errno
import importlib
import logging
import math
import os
import time
import traceback
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmark.core.budget import Budget
from benchmark.core.method import Method, Supervision
from benchmark.core.run_record import Cost, Environment, Failure, RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split
from benchmark.core.types import Sample
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine import checkpoint
from benchmark.engine.base import Engine, Observer, Progress
from benchmark.engine.optimizer import is_trained
from benchmark.engine.steps import to_device
from benchmark.evaluation.counts import Counts
from benchmark.planning.resolve import build, recipe_of, split_of
from benchmark.profiling import cost
from benchmark.store.attempts import Attempt, Superseded
from benchmark.store.environment import code_digest, describe_environment, package_versions
from benchmark.store.store import Store

ENGINES = {
    "fabric": "benchmark.engine.fabric:FabricEngine",
    "detectron2": "benchmark.d2.engine.detectron2_engine:Detectron2Engine",
}
HEARTBEAT_S = 2.0
REPORTS = 500
"""Losses are kept of about so many iterations of a run."""
TAIL_LINES = 30
LOG_LINES = 20
"""So many lines a stage go into the log."""
LINGER_S = 20.0
"""A job may end with the first of its tasks that fails: others leave the first so much time to record the failure."""

_log = logging.getLogger(__name__)


def execute(
    spec: RunSpec,
    *,
    store: Store,
    workers: int = 0,
    threads: int = 1,
    observe: Observer | None = None,
    checkpoint_every: int = 0,
) -> RunRecord:
    """Do one run, or go on with it from its checkpoint, and keep what comes of it.

    Args:
        spec: what to run; of a run that is done the record is returned.
        store: where it is kept.
        workers: processes that read ahead; they change no result.
        threads: of torch on the CPU.
        observe: told of every step.
        checkpoint_every: iterations between two checkpoints; 0 lets the clock decide.

    Returns:
        The record. Whatever goes wrong within the run makes it a failed one.

    Raises:
        OSError: the record cannot be kept.
        Superseded: a later attempt has begun; nothing more was written.
    """
    if store.state(spec.id) == "done":
        return store.record(spec.id)
    prepare_torch(threads)
    attempt = store.begin_attempt(spec, code=code_digest())
    known: dict[str, Any] = {"attempts": attempt.number, "started": attempt.started, "spec": spec}
    known["environment"] = describe_environment()
    try:
        known |= _described(spec)
        tell = _reporter(attempt, spec, store=store, observe=observe)
        counts, spent = _measured(spec, store=store, workers=workers, observe=tell, checkpoint_every=checkpoint_every)
        known["environment"] = _as_loaded(known["environment"])
        record = RunRecord(**known, state="done", counts_digest=counts.digest(), cost=spent, finished=_now())
        return _saved(record, counts, store=store)
    except Superseded:
        raise
    except Exception as error:
        _log.exception("%s failed", spec.id)
        known["environment"] = _as_loaded(known["environment"])
        record = RunRecord(**known, state="failed", failure=failure_of(error), finished=_now())
        store.save_failure(record)
    return record


def _as_loaded(environment: Environment) -> Environment:
    """With the packages that were loaded on the way; some are only where a run needs them."""
    return environment.model_copy(update={"packages": package_versions()})


def _saved(record: RunRecord, counts: Counts, *, store: Store) -> RunRecord:
    """Keep a result; where a process that was given up had the same one first, its record is the one that stays."""
    try:
        store.save_result(record, counts)
    except FileExistsError:
        there = store.record(record.spec.id)
        if there.counts_digest != record.counts_digest:
            raise
        return there
    return record


def prepare_torch(threads: int) -> None:
    """Set the CPU threads and, on CUDA, ask for algorithms that give the same bits every time."""
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def open_engine(spec: RunSpec, *, checkpoint_every: int = 0) -> Engine:
    """The trainer that a spec asks for. Raises ValueError where it is not installed, or the job does not fit."""
    module, _, name = ENGINES[spec.engine].partition(":")
    maker = getattr(importlib.import_module(module), name)
    budget = spec.budget
    engine: Engine = maker(
        precision=budget.precision,
        run=spec.digest(),
        checkpoint_every=checkpoint_every,
        micro_batches=budget.micro_batches,
    )
    return engine


def failure_of(error: Exception) -> Failure:
    """An exception as one clear line, with the end of its traceback."""
    message = str(error)
    if isinstance(error, KeyError) and error.args:
        message = str(error.args[0]) if " " in str(error.args[0]) else f"there is no {message}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = f"the disk is full: {error.strerror}; make room and run it again"
    lines = "".join(traceback.format_exception(error)).splitlines()
    line = " ".join(message.split()) or "no message; see the log"
    return Failure(kind=type(error).__name__, message=line[:500], log_tail="\n".join(lines[-TAIL_LINES:]))


@dataclass(frozen=True)
class _Parts:
    """What an engine works on."""

    split: Split
    train: TrainLoader
    test: EvalLoader
    method: Method


def _measured(
    spec: RunSpec, *, store: Store, workers: int, observe: Observer, checkpoint_every: int
) -> tuple[Counts, Cost]:
    engine = open_engine(spec, checkpoint_every=checkpoint_every)
    parts = engine.agree(lambda: _prepared(spec, workers=workers))
    path, budget = store.checkpoint(spec.id), Budget(**spec.budget.model_dump())
    counts = _counted(spec, parts, engine=engine, path=path, observe=observe)
    dataset = open_dataset(parts.split.dataset)
    image, _ = next(iter(EvalLoader(dataset, parts.split, protocol=spec.protocol, max_images=1)))
    return counts, _cost(parts.method, image, split=parts.split, train=parts.train, budget=budget, path=path)


def assist(spec: RunSpec, *, store: Store, workers: int = 0, threads: int = 1) -> None:
    """Do the part of a later process in a run that is spread over several; the first one does `execute`.

    Nothing is written: the checkpoint is read here, and what comes of the run is kept there.

    Args:
        spec, store, workers, threads: the same as those of the first process.

    Raises:
        ValueError: this process is the first one.
        Exception: whatever went wrong here; the first process is told, records it, and has time to do so.
        KeyboardInterrupt: this or another process was told to end, or another is gone.
    """
    prepare_torch(threads)
    try:
        engine = open_engine(spec)
        if engine.is_first:
            raise ValueError(f"{spec.id}: this is the first process of the run, or the only one: execute it")
        parts = engine.agree(lambda: _prepared(spec, workers=workers))
        _counted(spec, parts, engine=engine, path=store.checkpoint(spec.id), observe=lambda _: None)
    except Exception:
        time.sleep(LINGER_S)
        raise


def _prepared(spec: RunSpec, *, workers: int) -> _Parts:
    split, rules = split_of(spec), spec.protocol
    dataset = open_dataset(split.dataset)
    if dataset.fingerprint(split.train, split.evaluate) != spec.dataset_fingerprint:
        raise ValueError(f"data set {split.dataset!r} changed since this run was planned: plan it again")
    size = spec.budget.batch_size
    train = TrainLoader(dataset, split, protocol=rules, batch_size=size, seed=spec.seed, workers=workers)
    test = EvalLoader(dataset, split, protocol=rules, max_images=spec.max_images, workers=workers)
    return _Parts(split, train, test, build(spec))


def _counted(spec: RunSpec, parts: _Parts, *, engine: Engine, path: Path, observe: Observer) -> Counts:
    """Train, then count."""
    method, split, budget = parts.method, parts.split, Budget(**spec.budget.model_dump())
    method.set_classes(split.seen)
    engine.fit(method, parts.train, budget=budget, seed=spec.seed, checkpoint=path, observe=observe)
    method.set_classes(split.classes)
    gamma = spec.protocol.gamma
    return engine.evaluate(method, parts.test, classes=split.classes, seen=split.is_seen, gamma=gamma, observe=observe)


def _cost(method: Method, image: Sample, *, split: Split, train: TrainLoader, budget: Budget, path: Path) -> Cost:
    device = next((tensor.device for tensor in method.state_dict().values()), torch.device("cpu"))
    micro_batch = slice(budget.batch_size // budget.micro_batches)
    training = next(train.batches(0, 1, slots=micro_batch)) if is_trained(method, budget) else None
    return cost.measure(
        method,
        to_device([image], device),
        split=split,
        training=training and to_device(training, device),
        train_seconds=checkpoint.read(path)["seconds"],
        precision=budget.precision,
    )


def _described(spec: RunSpec) -> dict[str, str]:
    recipe = recipe_of(spec)
    traits = recipe.traits
    supervision = traits.supervision
    if spec.protocol.setting != "inductive" and spec.budget.iterations:
        supervision = Supervision.SEEN_MASKS_UNSEEN_NAMES
    return {"title": recipe.title, "supervision": supervision, "reconstruction": traits.reconstruction}


def _reporter(attempt: Attempt, spec: RunSpec, *, store: Store, observe: Observer | None) -> Observer:
    """Passes steps on: every one to `observe`, some to the store, as long as no later attempt has begun."""
    store.heartbeat(spec.id, {"stage": "prepare", "done": 0, "total": 0})
    every = math.ceil(max(1, spec.budget.iterations) / REPORTS)
    told = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal told
        is_last = progress.done == progress.total
        if progress.stage == "train" and (is_last or (progress.done - 1) % every == 0):
            store.log_losses(spec.id, progress.done - 1, progress.losses)
        if is_last or progress.done % math.ceil(progress.total / LOG_LINES) == 0:
            _log.info("%s", _line(progress))
        if is_last or time.monotonic() - told >= HEARTBEAT_S:
            store.check_latest(spec.id, attempt.number)
            store.heartbeat(spec.id, asdict(progress))
            told = time.monotonic()
        if observe is not None:
            observe(progress)

    return report


def _line(progress: Progress) -> str:
    losses = "".join(f"  {name} {value:.4f}" for name, value in progress.losses.items())
    return f"{progress.stage} {progress.done}/{progress.total}{losses}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
