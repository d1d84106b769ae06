"""Measured paces: seconds, memory and operations of a training step and of an evaluated image, without a whole run.

ROOT/paces/<method>-<digest>.json, one file for each setting, code and device; a new measurement replaces the old one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from benchmark.store.store import Store
from benchmark.utils.atomic_files import format_json, read_value, write_text
from benchmark.utils.frozen_model import FrozenModel, VersionedModel

FOLDER = "paces"
SYNTHETIC = "synthetic images"
"""Beginning of `MeasuredPace.data` if images of noise were read."""


class Flops(FrozenModel):
    """Floating point operations, 2 per multiply-add.

    Attributes:
        matrix: Operations of matrix products and attention.
        convolution: Operations of convolutions, which GPUs compute in TF32 by default.
    """

    matrix: int = Field(ge=0)
    convolution: int = Field(ge=0)

    @property
    def total(self) -> int:
        """Operations of both kinds."""
        return self.matrix + self.convolution


class TrainPace(FrozenModel):
    """Measured training passes: forward, backward and optimizer.

    Attributes:
        images: Images of a measured pass; fewer than those of a step if these do not fit into the memory.
        passes: Number of timed passes, after the warm-up.
        pass_s: Mean seconds of a pass, reading its images included.
        cpu_s: Mean CPU seconds of a pass over all threads; fewer than those of the clock if the machine was busy.
        process_mb: Peak memory of the process: resident on a CPU, allocated on a GPU.
        peak_mb: Memory per image that a pass takes at its peak in addition to method and gradients.
        saved_mb: Memory per image of the tensors that are kept for the backward pass, without parameters.
        flops: Operations of a pass per image.
    """

    images: int = Field(ge=1)
    passes: int = Field(ge=1)
    pass_s: float
    cpu_s: float
    process_mb: float
    peak_mb: float
    saved_mb: float
    flops: Flops


class EvalPace(FrozenModel):
    """Measured evaluation.

    Attributes:
        images: Number of timed images, after the warm-up.
        image_s: Mean seconds of an image: reading, prediction and counts.
        cpu_s: Mean CPU seconds of an image over all threads.
        process_mb: Peak memory of the process, as in training.
        peak_mb: Memory that an image takes at its peak in addition to what the process held before.
        flops: Operations of the prediction of one image.
    """

    images: int = Field(ge=1)
    image_s: float
    cpu_s: float
    process_mb: float
    peak_mb: float
    flops: Flops


class MeasuredPace(VersionedModel):
    """Pace of a row on one device.

    Attributes:
        key: Digest of the settings that decide the pace, see `benchmark.planning.pace_key`.
        code: Digest of the code of the runs, as `describe_code` lists it.
        row: Method and variant.
        device: Name of the accelerator or processor.
        is_gpu: Whether the device is an accelerator.
        threads: CPU threads.
        parameters: Number of scalars in parameters and buffers, frozen ones included.
        trained: Number of trained scalars.
        start_s: Seconds to load method and data.
        training: Measured training; None if nothing is trained.
        evaluation: Measured evaluation.
        data: Images that were read, in words.
        weights: Origin of the weights, in words.
        measured: Time of the measurement in UTC, ISO 8601.
    """

    renewal: ClassVar[str] = "measure it again"

    key: str
    code: str
    row: str
    device: str
    is_gpu: bool
    threads: int
    parameters: int
    trained: int
    start_s: float
    training: TrainPace | None
    evaluation: EvalPace
    data: str
    weights: str
    measured: str

    @property
    def is_synthetic(self) -> bool:
        """Whether images of noise stood in for data that were not there."""
        return self.data.startswith(SYNTHETIC)

    @property
    def process_mb(self) -> float:
        """Peak memory of the process in training and evaluation."""
        return max(part.process_mb for part in (self.training, self.evaluation) if part is not None)


def write_pace(store: Store, pace: MeasuredPace) -> Path:
    """Write a pace, in place of one of the same setting, code and device, and return its path."""
    identity = "\n".join([pace.key, pace.code, pace.device, str(pace.threads)])
    name = f"{pace.row.partition('/')[0]}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"
    path = store.root / FOLDER / name
    write_text(path, format_json(pace))
    return path


def read_paces(store: Store, methods: Iterable[str]) -> list[MeasuredPace]:
    """Return the paces of some methods, latest last, without files that cannot be read."""
    paces = []
    for method in sorted(set(methods)):
        for path in sorted((store.root / FOLDER).glob(f"{method}-*.json")):
            try:
                paces.append(read_value(MeasuredPace, path))
            except (ValueError, OSError):  # of an older version, or broken: as if it were not measured
                continue
    return sorted((pace for pace in paces), key=lambda pace: pace.measured)
