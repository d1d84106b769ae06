"""What a run leaves behind: frozen values, read from and written as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.utils.frozen_model import FrozenModel


class Environment(FrozenModel):
    """Where a run took place; recorded beside its spec, not part of its identity.

    Attributes:
        code_digest: SHA-256 over the package's own source files; a run with another digest is shown as stale.
        commit: git commit, with "+" where the tree was dirty; empty outside a checkout.
        packages: version by distribution name.
        platform, device: machine type and accelerator, as text.
        threads: CPU threads of torch; sums may differ in the last bit under another number.
    """

    code_digest: str
    commit: str
    python: str
    packages: dict[str, str]
    platform: str
    device: str
    threads: int


class Failure(FrozenModel):
    """Why a run has no result.

    Attributes:
        kind: name of the exception, or of what ended the process.
        message: one clear line.
        log_tail: last lines of its log.
    """

    kind: str
    message: str
    log_tail: str = ""


class Cost(FrozenModel):
    """What a method costs.

    Attributes:
        trainable_parameters, total_parameters: numbers of scalars; total includes the frozen parts used at test time.
        inference_flops: floating point operations (2 a multiply-add) of `predict` on one image of `image_size`.
        training_flops: of one image's share of a training step, backward included; 0 where nothing is trained.
        latency_ms: median wall time of `predict` on one image, its scores at full size included.
        train_seconds: wall time in `fit`, over all attempts.
        peak_memory_mb: largest resident set of the process.
        image_size: height and width in pixels of the image measured.
    """

    trainable_parameters: int
    total_parameters: int
    inference_flops: int
    training_flops: int
    latency_ms: float
    train_seconds: float
    peak_memory_mb: float
    image_size: tuple[int, int]


class RunRecord(FrozenModel):
    """What a finished or failed run leaves; written once, never edited.

    Attributes:
        counts_digest: `Counts.digest()` of the per-image counts beside this record; None for a failed run.
        title, supervision, reconstruction: of the method, so that a table needs no method file.
        attempts: how often the run was started.
        started, finished: UTC, ISO 8601.
    """

    spec: RunSpec
    environment: Environment
    state: Literal[RunState.DONE, RunState.FAILED]
    failure: Failure | None = None
    counts_digest: str | None = None
    cost: Cost | None = None
    title: str = ""
    supervision: str = ""
    reconstruction: str = ""
    attempts: int = Field(ge=1)
    started: str
    finished: str
