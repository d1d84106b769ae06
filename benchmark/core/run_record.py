"""Records: results or failures of runs, as frozen values that are read from and written as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from benchmark.core.environment import Environment
from benchmark.core.protocol_class import ProtocolClass
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.core.spec_traits import derive_traits
from benchmark.utils.frozen_model import FrozenModel, VersionedModel, format_canonical_json

SWITCHED_OFF = "switched off"
"""Reason of an unmeasured cost that the user did not ask for."""

_tables: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}


def _share_table(table: dict[str, str]) -> dict[str, str]:
    """Return the first table of this process with the same entries in this order: thousands of records share code."""
    return _tables.setdefault(tuple(table.items()), table)


_environments: dict[str, Environment] = {}


def _share_environment(environment: Environment) -> Environment:
    """Return the first environment of this process with the same content."""
    return _environments.setdefault(environment.model_dump_json(), environment)


_SharedTable = Annotated[dict[str, str], AfterValidator(_share_table)]
"""A table that records share, and that is therefore never edited."""


class Failure(FrozenModel):
    """Reason why a run has no result.

    Attributes:
        kind: Name of the exception, or of the event that ended the process.
        place: File, line and function of the method that failed, such as "my_method.py:42 (predict)"; empty if another
            part of a run failed.
        message: One line.
        log_tail: Last lines of the log.
    """

    kind: str
    place: str = ""
    message: str
    log_tail: str = ""

    @property
    def summary(self) -> str:
        """Kind, place and message in one line."""
        return f"{self.kind} in {self.place}: {self.message}" if self.place else f"{self.kind}: {self.message}"


class Cost(FrozenModel):
    """Cost of a method. Figures that take further passes through the method are None if they were not measured.

    Attributes:
        trainable_parameters: Number of trained scalars.
        total_parameters: Number of scalars, including the frozen parts that are used at test time.
        inference_flops: Floating point operations (2 per multiply-add) of `predict` on one image of `image_size`.
        training_flops: Floating point operations of a training step per image, including the backward pass; 0 without
            training.
        latency_ms: Wall time of `predict` and of its full-size scores: median over the scored images.
        train_seconds: Wall time in `fit`, over all attempts.
        peak_memory_mb: Largest resident set of the process.
        image_size: Height and width in pixels of the image whose operations were counted.
        unmeasured: Reason why figures are None; empty if all were measured.
    """

    trainable_parameters: int
    total_parameters: int | None = None
    inference_flops: int | None = None
    training_flops: int | None = None
    latency_ms: float | None = None
    train_seconds: float
    peak_memory_mb: float
    image_size: tuple[int, int] | None = None
    unmeasured: str = ""


class ImportedLabels(FrozenModel):
    """Origin of label maps that were made elsewhere, and how their ids were read.

    Attributes:
        folder: Absolute path of the folder or file that was read, on the machine of the import.
        num_files: Number of files that were read.
        files_digest: SHA-256 over the names and the SHA-256 of these files, which `predictions.json` lists.
        labels_digest: SHA-256 over image ids and classes of all pixels; equal for equal predictions in any format.
        ids: Meaning of the ids in the files, in words.
        program: Program and version that made the predictions, as the user gave it; may be empty.
        note: Remark of the user; may be empty.
        no_class_pixels: Number of labeled pixels that are predicted as no class of the split; all count as wrong.
    """

    folder: str
    num_files: int
    files_digest: str
    labels_digest: str
    ids: str
    program: str = ""
    note: str = ""
    no_class_pixels: int = 0


class RunRecord(VersionedModel):
    """Result or failure of a run; written once, never edited.

    Attributes:
        spec: Spec of the run.
        environment: Code, packages and machine.
        code: Digest of each file of the package that can change the result, by relative path, see
            `benchmark.planning.run_code`.
        inputs: SHA-256 of each weight, embedding and prompt file that was read, by the portable name of the file, see
            `benchmark.utils.input_files`.
        state: DONE or FAILED.
        failure: Reason of the failure; None for a run that is done.
        counts_digest: `Counts.digest()` of the per-image counts next to the record; None for a failed run.
        cost: Cost of the method; None for a failed run and for imported labels.
        title: Title of the method, so that tables need no method file.
        paper: Citation of the method.
        supervision: Supervision of the method.
        reconstruction: Deviations of the method from its paper.
        is_deterministic: Whether every seed gives this result: the method draws nothing and is not trained.
        traits: Declared traits of the result, see `known_traits`; unknown in older records and of failed runs.
        imported: Origin of label maps that were made elsewhere; None for a run of this program.
        attempts: Number of the attempt that wrote the record.
        continued_from: Arithmetic of earlier attempts whose checkpoint was continued under another one, as
            `describe_arithmetic` words it; empty if all of the training ran under the arithmetic of `environment`.
        started: Time of its start in UTC, ISO 8601.
        finished: Time of its end in UTC, ISO 8601.
    """

    spec: RunSpec
    environment: Annotated[Environment, AfterValidator(_share_environment)]
    code: _SharedTable = Field(default_factory=dict)
    inputs: _SharedTable = Field(default_factory=dict)
    state: Literal[RunState.DONE, RunState.FAILED]
    failure: Failure | None = None
    counts_digest: str | None = None
    cost: Cost | None = None
    title: str = ""
    paper: str = ""
    supervision: str = ""
    reconstruction: str = ""
    is_deterministic: bool = False
    traits: ProtocolClass = ProtocolClass()
    imported: ImportedLabels | None = None
    attempts: int = Field(ge=1)
    continued_from: tuple[str, ...] = ()
    started: str
    finished: str

    @property
    def known_traits(self) -> ProtocolClass:
        """The declared traits; those that are not declared as far as spec and supervision tell them."""
        derived = derive_traits(self.spec, supervision=self.supervision)
        declared = {name: value for name, value in self.traits if value}
        return derived.model_copy(update=declared)


def digest_code(code: Mapping[str, str]) -> str:
    """Return the SHA-256 over the code of a run, see `RunRecord.code`, in hex."""
    return hashlib.sha256(format_canonical_json(dict(code)).encode()).hexdigest()
