"""Measurement of the pace of a row at full size, in a process of its own, so that its memory is its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from benchmark.core.run_record import digest_code
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split
from benchmark.data.base import Dataset
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.data.run_loaders import make_train_loader
from benchmark.execution.measuring_process import open_measuring_process
from benchmark.execution.runner import open_engine, prepare_torch
from benchmark.planning.pace_key import make_pace_key
from benchmark.planning.random_weights import use_random_weights
from benchmark.planning.resolve import load_recipe_of, load_split_of, restore_setup
from benchmark.planning.run_code import describe_code
from benchmark.profiling.pace import Workload, measure_evaluation, measure_training
from benchmark.profiling.synthetic_images import SyntheticImages, make_synthetic_images
from benchmark.store.environment import get_device_name
from benchmark.store.exceptions import explain_exception
from benchmark.store.paces import SYNTHETIC, MeasuredPace

POLL_S = 1.0
"""Seconds between two looks at a measuring process."""

Measured = MeasuredPace | str
"""A pace, or the reason in one line why it could not be measured."""


@dataclass(frozen=True)
class PaceRequest:
    """What to measure.

    Attributes:
        spec: Spec of the row, of any seed; data and weights need not be there.
        passes: Number of training passes to time.
        images: Number of evaluation images to time.
        threads: CPU threads.
        memory_mb: Memory that the process may take; None for a share of what is free.
        has_random_weights: Whether weights that are not files on this machine are replaced by random ones.
    """

    spec: RunSpec
    passes: int = 2
    images: int = 2
    threads: int = 1
    memory_mb: float | None = None
    has_random_weights: bool = False


@dataclass(frozen=True)
class _Stage:
    """What a measuring process has begun to do, such as "training pass 2 of 3"."""

    text: str


def measure_apart(request: PaceRequest, *, observe: Callable[[str, float], None] = lambda _stage, _s: None) -> Measured:
    """Measure a row in a new process; returns the reason in one line if it fails.

    Args:
        request: What to measure.
        observe: Function that is called about once a second with the present stage and its seconds so far.
    """
    with open_measuring_process(_send_measurement, request) as (messages, _):
        try:
            return _receive_measurement(messages, observe)
        except EOFError:
            return "its process was killed, as the kernel does if the memory is full: lower --memory"


def _receive_measurement(messages: Connection, observe: Callable[[str, float], None]) -> Measured:
    """Return the last message of a measuring process.

    Raises:
        EOFError: The process ended without it.
    """
    stage, began = "starting", time.monotonic()
    while True:
        if messages.poll(POLL_S):
            message = messages.recv()
            if not isinstance(message, _Stage):
                return message  # type: ignore[no-any-return]
            stage, began = message.text, time.monotonic()
        observe(stage, time.monotonic() - began)


def _send_measurement(request: PaceRequest, messages: Connection) -> None:
    messages.send(_try_to_measure(request, observe=lambda text: messages.send(_Stage(text))))


def measure_row(request: PaceRequest, *, observe: Callable[[str], None] = lambda _stage: None) -> MeasuredPace:
    """Measure a row in this process.

    Args:
        request: What to measure.
        observe: Function that is called with every stage as it begins.

    Raises:
        Exception: The row cannot be built or run.
    """
    spec = request.spec
    prepare_torch(request.threads)
    single = spec.budget.model_copy(update={"micro_batches": 1})
    engine = open_engine(spec.model_copy(update={"budget": single}))
    begin = time.perf_counter()
    observe("building the method")
    work, data = load_workload(request)
    start_s = time.perf_counter() - begin
    tensors = [*work.method.parameters(), *work.method.buffers()]
    trained = sum(parameter.numel() for parameter in work.method.parameters() if parameter.requires_grad)
    training = measure_training(work, engine, passes=request.passes, memory_mb=request.memory_mb, observe=observe)
    evaluation = measure_evaluation(work, engine, observe=observe)
    return MeasuredPace(
        key=make_pace_key(spec),
        code=digest_code(describe_code(spec)),
        row=f"{spec.method}/{spec.label}",
        device=get_device_name(),
        is_gpu=engine.device.type == "cuda",
        threads=request.threads,
        parameters=sum(tensor.numel() for tensor in tensors),
        trained=trained,
        start_s=start_s,
        training=training,
        evaluation=evaluation,
        data=data,
        weights="random" if request.has_random_weights else "as configured",
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _try_to_measure(request: PaceRequest, *, observe: Callable[[str], None]) -> Measured:
    try:
        return measure_row(request, observe=observe)
    except Exception as error:
        return explain_exception(error).summary


def load_workload(request: PaceRequest) -> tuple[Workload, str]:
    """Build the method and open the data, or their stand-in; returns what the data are, too.

    Raises:
        Exception: The row cannot be built.
    """
    spec, recipe = request.spec, load_recipe_of(request.spec)
    split = load_split_of(spec)
    setup = restore_setup(spec, recipe=recipe, split=split)
    if request.has_random_weights:
        setup = replace(setup, config=use_random_weights(setup.config))
    dataset = _open_images(split)
    split = split.model_copy(update={"images": {}})  # a part of the data is enough
    supervision = recipe.traits.supervision
    eval_loader = EvalLoader(
        dataset, split, protocol=spec.protocol, max_images=request.images + 1, supervision=supervision
    )

    def make_loader(batch_size: int) -> TrainLoader:
        budget = spec.budget.model_copy(update={"batch_size": batch_size, "micro_batches": 1})
        part = spec.model_copy(update={"budget": budget})
        return make_train_loader(part, dataset, split, supervision=supervision)

    work = Workload(setup.build(spec.seed), split, spec.budget, make_loader, eval_loader, spec.protocol.gamma)
    return work, _describe_images(dataset)


def _open_images(split: Split) -> Dataset:
    try:
        return open_dataset(split.dataset)
    except FileNotFoundError:
        return make_synthetic_images(split)


def _describe_images(dataset: Dataset) -> str:
    if isinstance(dataset, SyntheticImages):
        return f"{SYNTHETIC} of {dataset.height} x {dataset.width}"
    return f"images of {dataset.name}"
