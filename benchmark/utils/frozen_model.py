"""The base of every value that is read from text or written as text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class FrozenModel(BaseModel):
    """A typed, immutable value; undeclared fields are errors.

    Attributes:
        renamed_fields: Old name to new name, so that an old name is answered with the new one. A class attribute.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    renamed_fields: ClassVar[Mapping[str, str]] = {}

    def canonical(self) -> str:
        """Return the one JSON text of this value: sorted keys, no spaces, defaults written out."""
        return canonical_json(self.model_dump(mode="json"))

    def digest(self) -> str:
        """Return the SHA-256 of the canonical text, in hex."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @model_validator(mode="before")
    @classmethod
    def _answer_renamed_fields(cls, fields: Any) -> Any:
        old_names = [name for name in cls.renamed_fields if isinstance(fields, Mapping) and name in fields]
        if old_names:
            raise ValueError(f"{old_names[0]!r} is now called {cls.renamed_fields[old_names[0]]!r}")
        return fields


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces.

    Raises:
        ValueError: The value holds NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
