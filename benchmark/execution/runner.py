"""One run from its spec to its record, in this process."""

from __future__ import annotations

import importlib
import logging
import os
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmark.core.environment import describe_arithmetic
from benchmark.core.method import Recipe
from benchmark.core.run_record import Cost, Failure, RunRecord, digest_code
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.engine.base import Engine, Observer, TrainResult
from benchmark.engine.matrix_products import use_onednn_products
from benchmark.engine.partial_counts import PartialFolder
from benchmark.evaluation.counts import Counts
from benchmark.execution.cost_step import determine_cost
from benchmark.execution.load_run import LoadedRun, load_run
from benchmark.execution.progress_reporter import ProgressReporter
from benchmark.execution.record_draft import RecordDraft
from benchmark.planning.registry import list_own_files
from benchmark.planning.resolve import find_method_of, load_recipe_of
from benchmark.planning.run_code import describe_code
from benchmark.profiling.cost import time_predictions
from benchmark.store.attempts import SupersededError
from benchmark.store.environment import describe_environment
from benchmark.store.exceptions import explain_exception
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.frozen_model import format_canonical_json
from benchmark.utils.input_files import collect_inputs
from benchmark.utils.watchdog import LATER_LIMIT_S, Watchdog

ENGINE_CLASSES = {
    "fabric": "benchmark.engine.fabric:FabricEngine",
    "detectron2": "benchmark.d2.engine.detectron2_engine:Detectron2Engine",
}
FAILURE_DELAY_S = 20.0
"""Seconds that a failed process waits, so that the first process can record the failure: a job may end when one of its
tasks fails."""

_log = logging.getLogger(__name__)


def execute(
    spec: RunSpec,
    *,
    store: Store,
    workers: int = 0,
    threads: int = 1,
    observe: Observer | None = None,
    checkpoint_every: int = 0,
    measures_cost: bool = True,
) -> RunRecord:
    """Run or resume a spec and save its record.

    Args:
        spec: Spec of the run; if the run is done already, its record is returned.
        store: Store that holds the run.
        workers: Data-loading workers; they change no result.
        threads: CPU threads of torch.
        observe: Function that is called after every iteration and image.
        checkpoint_every: Iterations between two checkpoints; with 0, the elapsed time decides.
        measures_cost: Whether the figures of the method's cost that take further passes are measured.

    Returns:
        Record of the run. Any error within the run gives the record of a failed run.

    Raises:
        OSError: The record cannot be written.
        SupersededError: A later attempt has begun; nothing more was written.
    """
    folder = store.run(spec.id)
    if (record := _find_result(folder)) is not None:
        return record
    prepare_torch(threads)
    code = describe_code(spec)
    attempt = folder.begin_attempt(spec, code=digest_code(code))
    with collect_inputs() as inputs:
        draft = RecordDraft(spec, attempt, describe_environment(), code, inputs)
        try:
            recipe = load_recipe_of(spec)
            draft = draft.describe_method(recipe)
            reporter = ProgressReporter(folder, attempt, iterations=spec.budget.iterations, observe=observe)
            provenance = _Provenance(digest_code(code), describe_arithmetic(draft.environment), inputs)
            engine = open_engine(spec, checkpoint_every=checkpoint_every, arithmetic=provenance.arithmetic)
            run = engine.run_collectively(lambda: _load(spec, recipe, workers=workers))
            draft = draft.describe_traits(recipe, run.config, run.split)
            result = _produce_result(run, engine, folder, provenance, observe=reporter, measures_cost=measures_cost)
            return _save_result(folder, result.complete(draft), result.counts)
        except BaseException as error:  # SystemExit, too: the method must not end this process without a record
            if not _is_failure(error, spec):
                raise
            return _save_failure(folder, draft.fail(_explain_failure(error, spec)))


def _find_result(folder: RunFolder) -> RunRecord | None:
    """Return the record of a run that is done; None for other runs."""
    snapshot = folder.read_snapshot()
    return snapshot.record if snapshot.state is RunState.DONE else None


def assist(spec: RunSpec, *, store: Store, workers: int = 0, threads: int = 1) -> None:
    """Run the part of a further process in a run that several processes share; the first process calls `execute`.

    This process reads the checkpoint and writes nothing but its counts so far; the first process saves the result.

    Args:
        spec: Spec of the run.
        store: Store that holds the run.
        workers: Data-loading workers, as in the first process.
        threads: CPU threads of torch, as in the first process.

    Raises:
        ValueError: This process is the first one.
        Exception: This process failed; the first process has been notified and had time to record the failure.
        KeyboardInterrupt: A process of the run was interrupted or has ended.
    """
    prepare_torch(threads)
    folder = store.run(spec.id)
    try:
        engine = open_engine(spec)
        if engine.is_first:
            raise ValueError(f"{spec.id}: this is the first or only process of the run: call execute")
        with collect_inputs() as inputs:
            arithmetic = describe_arithmetic(describe_environment())
            provenance = _Provenance(digest_code(describe_code(spec)), arithmetic, inputs)
            run = engine.run_collectively(lambda: _load(spec, load_recipe_of(spec), workers=workers))
            _fit_and_evaluate(run, engine, folder=folder, provenance=provenance, observe=lambda _: None)
    except KeyboardInterrupt:
        raise
    except BaseException:
        time.sleep(FAILURE_DELAY_S)
        raise


def prepare_torch(threads: int) -> None:
    """Set the CPU threads of torch and its matrix products; if CUDA is available, request deterministic algorithms."""
    torch.set_num_threads(threads)
    use_onednn_products()
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def open_engine(spec: RunSpec, *, checkpoint_every: int = 0, arithmetic: str = "") -> Engine:
    """Open the engine of a spec.

    Args:
        spec: Spec of a run.
        checkpoint_every: Iterations between two checkpoints; with 0, the elapsed time decides.
        arithmetic: What decides the last bits of results, for checkpoints; as `describe_arithmetic` words it.

    Raises:
        ValueError: The engine is not installed, or the tasks of this job do not fit the spec.
    """
    module, _, name = ENGINE_CLASSES[spec.engine].partition(":")
    engine_class = getattr(importlib.import_module(module), name)
    engine: Engine = engine_class(
        precision=spec.budget.precision,
        run=spec.digest(),
        checkpoint_every=checkpoint_every,
        micro_batches=spec.budget.micro_batches,
        arithmetic=arithmetic,
    )
    return engine


def _load(spec: RunSpec, recipe: Recipe[Any], *, workers: int) -> LoadedRun:
    """Load a run; give up if its files do not answer, with time for another process to download weights."""
    watchdog = Watchdog(time.process_time, first_limit_s=LATER_LIMIT_S)
    with watchdog.open(), watchdog.watch(lambda: f"loading the method and the data of split {spec.split!r}"):
        return load_run(spec, recipe, workers=workers)


@dataclass(frozen=True)
class _Provenance:
    """What the counts of a run depend on, apart from its spec and the trained state.

    Attributes:
        code: Digest of the code of the run.
        arithmetic: What decides the last bits of results, as `describe_arithmetic` words it.
        inputs: Digests of the files that were read; grows while the run reads files.
    """

    code: str
    arithmetic: str
    inputs: Mapping[str, str]

    def open_partial_folder(self, folder: RunFolder, spec: RunSpec) -> PartialFolder:
        """Return the folder for the counts of an unfinished evaluation."""
        key = format_canonical_json([spec.digest(), self.code, self.arithmetic, dict(self.inputs)])
        return PartialFolder(folder.partial_path, key)


@dataclass(frozen=True)
class _ProducedResult:
    """What a run produced: the results of its three steps."""

    training: TrainResult
    counts: Counts
    cost: Cost

    def complete(self, draft: RecordDraft) -> RunRecord:
        return draft.finish(self.counts.digest(), cost=self.cost, continued_from=self.training.continued_from)


def _produce_result(
    run: LoadedRun,
    engine: Engine,
    folder: RunFolder,
    provenance: _Provenance,
    *,
    observe: Observer,
    measures_cost: bool,
) -> _ProducedResult:
    with time_predictions(run.method) as predict_s:
        result, counts = _fit_and_evaluate(run, engine, folder=folder, provenance=provenance, observe=observe)
    cost = determine_cost(run, engine, result=result, predict_s=predict_s, is_measured=measures_cost, observe=observe)
    return _ProducedResult(result, counts, cost)


def _fit_and_evaluate(
    run: LoadedRun, engine: Engine, *, folder: RunFolder, provenance: _Provenance, observe: Observer
) -> tuple[TrainResult, Counts]:
    method, split, spec = run.method, run.split, run.spec
    method.set_classes(split.seen)
    checkpoint = folder.checkpoint_path
    result = engine.fit(
        method, run.train_loader, budget=spec.budget, seed=spec.seed, checkpoint=checkpoint, observe=observe
    )
    method.set_classes(split.classes)
    counts = engine.evaluate(
        method,
        run.eval_loader,
        classes=split.classes,
        seen=split.is_seen,
        gamma=spec.protocol.gamma,
        observe=observe,
        partial=provenance.open_partial_folder(folder, spec),
    )
    return result, counts


def _explain_failure(error: BaseException, spec: RunSpec) -> Failure:
    """Describe an exception with its place in the method's own files, unless the method is not found."""
    return explain_exception(error, method_files=_list_own_files(spec))


def _list_own_files(spec: RunSpec) -> list[Path]:
    try:
        return list_own_files(find_method_of(spec))
    except (KeyError, OSError, ValueError):
        return []


def _is_failure(error: BaseException, spec: RunSpec) -> bool:
    """Return whether an exception means that the run failed, not that it was interrupted or given to another process.

    A KeyboardInterrupt is a failure if a `raise` statement in the method's own files created it.
    """
    if not isinstance(error, KeyboardInterrupt):
        return not isinstance(error, SupersededError)
    frames = traceback.extract_tb(error.__traceback__)
    is_raise = bool(frames) and (frames[-1].line or "").startswith("raise ")
    return is_raise and Path(frames[-1].filename).resolve() in _list_own_files(spec)


def _save_failure(folder: RunFolder, record: RunRecord) -> RunRecord:
    """Save and return the record of a failure, from within the handling of its exception."""
    _log.exception("%s failed", record.spec.id)
    folder.save_failure(record)
    return record


def _save_result(folder: RunFolder, record: RunRecord, counts: Counts) -> RunRecord:
    """Save a result; if another process has saved the same counts before, return its record."""
    try:
        folder.save_result(record, counts)
    except FileExistsError:
        existing = folder.read_record()
        if existing.counts_digest != record.counts_digest:
            raise
        return existing
    return record
