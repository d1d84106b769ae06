"""What a run is: one cell of a grid, fully resolved and frozen."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from benchmark.core.budget import Budget
from benchmark.core.protocol import Protocol
from benchmark.utils.frozen_model import FrozenModel

EngineName = Literal["fabric", "detectron2"]


class RunSpec(FrozenModel):
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
        max_images: score only the first images of the evaluation part (testing only); 0 for all.
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
    budget: Budget
    max_images: int = Field(default=0, ge=0)

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

    def with_seed(self, seed: int) -> RunSpec:
        """Return the same run with another seed."""
        # not `model_copy`, which would hand on the cached id
        return RunSpec.model_validate({name: getattr(self, name) for name in RunSpec.model_fields} | {"seed": seed})

    def _named_protocol(self) -> list[str]:
        return [] if self.protocol.name == "plain" else [self.protocol.name]
