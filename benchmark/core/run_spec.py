"""Specs: runs as fully resolved, frozen values; a run is one cell of a study's grid."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import Field

from benchmark.core.budget import Budget
from benchmark.core.protocol import Protocol
from benchmark.utils.frozen_model import VersionedModel

EngineName = Literal["fabric", "detectron2"]


class RunSpec(VersionedModel):
    """One cell of a grid, fully resolved. Two runs with the same spec are the same run.

    Attributes:
        method: Registered name, or stem of an external method file.
        source: Path of an external method file as given; else empty.
        source_digest: SHA-256 of that file; else empty.
        variant: Label of the variant, one of the method's rows.
        overrides: Overrides by dotted key as given; `config`, `protocol` and `budget` contain them already.
        config: Complete configuration of the method.
        split: Name of the split.
        split_digest: Hash of the split's content.
        protocol: Complete protocol.
        dataset_fingerprint: Hash of the content of the subsets that the split uses.
        engine: Trainer.
        seed: Seed of all random draws.
        budget: Training budget.
        max_images: Number of evaluation images to score (testing only); 0 for all.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"limit": "max_images"}

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
        """Readable text and 16 hex digits of the hash of the canonical JSON; a valid folder name."""
        words = [self.method, self.variant, *(f"{key}={value}" for key, value in sorted(self.overrides.items()))]
        text = re.sub(r"[^a-z0-9.=]+", "-", "-".join(words).lower()).strip("-")[:80]
        names = [self.split.rpartition("/")[2].removesuffix(".yaml")]
        names += [] if self.protocol.name == "plain" else [self.protocol.name]
        setting = re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(names))
        return f"{text}-{setting}-s{self.seed}-{self.digest()[:16]}"

    @property
    def label(self) -> str:
        """Name of the row that this run belongs to: variant and overrides, without the seed."""
        changes = ", ".join(f"{key}={value}" for key, value in sorted(self.overrides.items()))
        return f"{self.variant} [{changes}]" if changes else self.variant

    def with_seed(self, seed: int) -> RunSpec:
        """Return the same run with another seed."""
        # not `model_copy`, which would hand on the cached id
        return RunSpec.model_validate({name: getattr(self, name) for name in RunSpec.model_fields} | {"seed": seed})
