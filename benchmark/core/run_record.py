"""Records: results or failures of runs, as frozen values that are read from and written as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.utils.frozen_model import FrozenModel, VersionedModel


class Environment(FrozenModel):
    """Code, packages and machine of a run; in its record, but not part of its identity.

    Attributes:
        code_digest: SHA-256 over the package's source files; a run with another digest is shown as stale.
        commit: Git commit, with "+" if the tree was dirty; empty outside a checkout.
        python: Version of Python.
        packages: Versions by distribution name.
        platform: Machine type.
        device: Name of the accelerator or processor.
        threads: CPU threads of torch; another number may change the last bit of sums.
    """

    code_digest: str
    commit: str
    python: str
    packages: dict[str, str]
    platform: str
    device: str
    threads: int


class Failure(FrozenModel):
    """Reason why a run has no result.

    Attributes:
        kind: Name of the exception, or of the event that ended the process.
        message: One line.
        log_tail: Last lines of the log.
    """

    kind: str
    message: str
    log_tail: str = ""


class Cost(FrozenModel):
    """Cost of a method.

    Attributes:
        trainable_parameters: Number of trained scalars.
        total_parameters: Number of scalars, including the frozen parts that are used at test time.
        inference_flops: Floating point operations (2 per multiply-add) of `predict` on one image of `image_size`.
        training_flops: Floating point operations of a training step per image, including the backward pass; 0 without
            training.
        latency_ms: Median wall time of `predict` on one image, including its full-size scores.
        train_seconds: Wall time in `fit`, over all attempts.
        peak_memory_mb: Largest resident set of the process.
        image_size: Height and width of the measured image in pixels.
    """

    trainable_parameters: int
    total_parameters: int
    inference_flops: int
    training_flops: int
    latency_ms: float
    train_seconds: float
    peak_memory_mb: float
    image_size: tuple[int, int]


class RunRecord(VersionedModel):
    """Result or failure of a run; written once, never edited.

    Attributes:
        spec: Spec of the run.
        environment: Code, packages and machine.
        state: DONE or FAILED.
        failure: Reason of the failure; None for a run that is done.
        counts_digest: `Counts.digest()` of the per-image counts next to the record; None for a failed run.
        cost: Cost of the method; None for a failed run.
        title: Title of the method, so that tables need no method file.
        paper: Citation of the method.
        supervision: Supervision of the method.
        reconstruction: Deviations of the method from its paper.
        attempts: Number of the attempt that wrote the record.
        started: Time of its start in UTC, ISO 8601.
        finished: Time of its end in UTC, ISO 8601.
    """

    spec: RunSpec
    environment: Environment
    state: Literal[RunState.DONE, RunState.FAILED]
    failure: Failure | None = None
    counts_digest: str | None = None
    cost: Cost | None = None
    title: str = ""
    paper: str = ""
    supervision: str = ""
    reconstruction: str = ""
    attempts: int = Field(ge=1)
    started: str
    finished: str
