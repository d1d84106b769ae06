"""What a run is and what it leaves behind: frozen values, read from and written as JSON."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from benchmark.frozen import Frozen
from benchmark.protocol import Protocol

EngineName = Literal["fabric", "detectron2"]


class BudgetSpec(Frozen):
    """The fields of `benchmark.method.Budget`, so that a spec can be read without torch."""

    iterations: int = Field(ge=0)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(ge=0)
    weight_decay: float = Field(ge=0)
    warmup: float = Field(ge=0, le=1)
    clip_norm: float = Field(gt=0)
    init_images: int = Field(ge=0)
    precision: str
    shards: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _shards_are_equal(self) -> Self:
        if self.batch_size % self.shards:
            raise ValueError(
                f"shards={self.shards} does not divide batch_size={self.batch_size}: every shard gets as many images"
            )
        return self

    @model_serializer(mode="wrap")
    def _whole_as_ever(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `shards` where there is one: such a run has the id that it had before there were shards."""
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if (name, value) != ("shards", 1)}


class RunSpec(Frozen):
    """One cell of a grid, fully resolved. Two runs with the same spec are the same run.

    Attributes:
        method: registered name, or the stem of an external file.
        source: path of an external file as given, else empty.
        source_digest: SHA-256 of that file, else empty.
        variant: row label among the method's variants.
        overrides: what was changed with dotted keys, as given; already part of `config` and `budget`.
        config: the method's whole configuration.
        split: name; `split_digest` is the hash of its content.
        protocol: the rules, whole.
        dataset_fingerprint: hash of the content of the parts that the split uses.
        engine: which trainer runs it.
        seed: of every random draw.
        budget: what training may spend.
        limit: score only the first images of the evaluation part (testing only); 0 for all.
    """

    method: str
    source: str = ""
    source_digest: str = ""
    variant: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any]
    split: str
    split_digest: str
    protocol: Protocol
    dataset_fingerprint: str
    engine: EngineName = "fabric"
    seed: int = Field(ge=0)
    budget: BudgetSpec
    limit: int = Field(default=0, ge=0)

    @cached_property
    def id(self) -> str:
        """Readable text and 16 hex digits of the hash of the canonical JSON; usable as a folder's name."""
        words = [self.method, self.variant, *(f"{key}={value}" for key, value in sorted(self.overrides.items()))]
        text = re.sub(r"[^a-z0-9.=]+", "-", "-".join(words).lower()).strip("-")[:80]
        names = [self.split.rpartition("/")[2].removesuffix(".yaml"), *self._named_protocol()]
        where = re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(names))
        return f"{text}-{where}-s{self.seed}-{self.digest()[:16]}"

    @property
    def label(self) -> str:
        """The row this run belongs to: variant and overrides, without the seed."""
        changed = ", ".join(f"{key}={value}" for key, value in sorted(self.overrides.items()))
        return f"{self.variant} [{changed}]" if changed else self.variant

    def _named_protocol(self) -> list[str]:
        return [] if self.protocol.name == "plain" else [self.protocol.name]


class Environment(Frozen):
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


class Failure(Frozen):
    """Why a run has no result.

    Attributes:
        kind: name of the exception, or of what ended the process.
        message: one clear line.
        log_tail: last lines of its log.
    """

    kind: str
    message: str
    log_tail: str = ""


class Cost(Frozen):
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


class RunRecord(Frozen):
    """What a finished or failed run leaves; written once, never edited.

    Attributes:
        counts_digest: `Counts.digest()` of the per-image counts beside this record; None for a failed run.
        title, supervision, reconstruction: of the method, so that a table needs no method file.
        attempts: how often the run was started.
        started, finished: UTC, ISO 8601.
    """

    spec: RunSpec
    environment: Environment
    state: Literal["done", "failed"]
    failure: Failure | None = None
    counts_digest: str | None = None
    cost: Cost | None = None
    title: str = ""
    supervision: str = ""
    reconstruction: str = ""
    attempts: int = Field(ge=1)
    started: str
    finished: str
