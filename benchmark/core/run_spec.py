"""Specs: runs as fully resolved, frozen values; a run is one cell of a study's grid."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from benchmark.core.budget import Budget
from benchmark.core.protocol import Protocol
from benchmark.core.run_name import format_changes, make_setting, make_text
from benchmark.utils.frozen_model import FrozenModel, VersionedModel, format_canonical_json
from benchmark.utils.identity import identify

EngineName = Literal["fabric", "detectron2"]
IMPORTED: Final = "imported"
"""Method and engine of runs whose label maps were made elsewhere and imported, see `benchmark.exchange`."""


_protocols: dict[str, Protocol] = {}


def _share_protocol(protocol: Protocol) -> Protocol:
    """Return the first protocol of this process with the same content: thousands of specs have few protocols."""
    return _protocols.setdefault(protocol.model_dump_json(), protocol)


class OfficialWeights(FrozenModel):
    """A published checkpoint, whose tensors a method starts from in place of random ones.

    Attributes:
        file: Absolute path of the file where the run was planned.
        sha256: Digest of the file, which identifies it wherever it is.
        num_tensors: Number of tensors in it.
    """

    file_fields: ClassVar[Mapping[str, str]] = {"file": "sha256"}
    descriptive_fields: ClassVar[frozenset[str]] = frozenset({"num_tensors"})

    file: str
    sha256: str
    num_tensors: int

    @property
    def name(self) -> str:
        """Name of the file without its folder."""
        return PurePath(self.file).name


class RunSpec(VersionedModel):
    """One cell of a grid, fully resolved. Two runs with the same id are the same run.

    The identity of a run is content: what the files say and not where they are, and what a config is and not how it was
    given. A field that stands at its default is not part of the identity, see `benchmark.utils.identity`.

    Attributes:
        method: Registered name, or stem of an external method file.
        source: Absolute path of an external method file where the run was planned; else empty.
        source_digest: Digest of that file, or of the package of an entry point, with all modules that it brings along;
            empty for an included method.
        variant: Label of the variant, one of the method's rows.
        overrides: Overrides by dotted key that have an effect; `config`, `protocol` and `budget` contain them already.
            The path of `weights` is among them as it was given, so that every label shows it.
        config: Complete configuration of the method.
        config_identity: Part of the config that identifies the run, see `identify`.
        split: Name of the split; the stem of its file.
        split_source: Absolute path of a split file outside of the package where the run was planned, with @ and
            the draw if the split is drawn from the one in the file; else empty.
        split_digest: Digest of the split's content.
        unseen: Unseen classes of the split; None if they were not written down.
        protocol: Complete protocol.
        dataset_fingerprint: Hash of the content of the subsets that the split uses.
        engine: Trainer; "imported" if the label maps were made elsewhere, so that nothing is trained here.
        seed: Seed of all random draws.
        budget: Training budget.
        max_images: Number of evaluation images to score (testing only); 0 for all.
        weights: Published checkpoint that the run starts from; None for the method's own initial values.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"limit": "max_images"}
    descriptive_fields: ClassVar[frozenset[str]] = frozenset(
        {"source", "overrides", "config", "split_source", "unseen"}
    )

    method: str
    source: str = ""
    source_digest: str = ""
    variant: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any]
    config_identity: dict[str, Any] = Field(default_factory=lambda fields: dict(fields.get("config", {})))
    split: str
    split_source: str = ""
    split_digest: str
    unseen: tuple[str, ...] | None = None
    protocol: Annotated[Protocol, AfterValidator(_share_protocol)]
    dataset_fingerprint: str
    engine: EngineName | Literal["imported"] = "fabric"
    seed: int = Field(ge=0)
    budget: Budget
    max_images: int = Field(default=0, ge=0)
    weights: OfficialWeights | None = None

    @cached_property
    def id(self) -> str:
        """Readable text and 16 hex digits of the digest; a valid folder name of at most 240 characters."""
        text = make_text(self.method, self.variant, self.overrides)
        return f"{text}-{make_setting(self.split, self.protocol.name)}-s{self.seed}-{self.digest()[:16]}"

    @property
    def is_imported(self) -> bool:
        """Whether the label maps were made elsewhere: the run has no method that could be run again."""
        return self.engine == IMPORTED

    @property
    def is_published_result(self) -> bool:
        """Whether a published checkpoint is scored as it is, without training: every seed gives the same result."""
        return self.weights is not None and not self.budget.iterations

    @property
    def label(self) -> str:
        """Name of the row that this run belongs to: variant and overrides, without the seed."""
        return f"{self.variant} [{format_changes(self.overrides)}]" if self.overrides else self.variant

    def digest(self) -> str:
        """Return the SHA-256, in hex, of the run's identity and of the version of the files."""
        parts = identify(self) | {"format": self.format}
        return hashlib.sha256(format_canonical_json(parts).encode()).hexdigest()

    def digest_row(self) -> str:
        """Return the digest that the runs of one row share: that of everything but the seed."""
        return self.model_copy(update={"seed": 0}).digest()

    def with_seed(self, seed: int) -> RunSpec:
        """Return the same run with another seed."""
        # not `model_copy`, which would hand on the cached id
        return RunSpec.model_validate({name: getattr(self, name) for name in RunSpec.model_fields} | {"seed": seed})
