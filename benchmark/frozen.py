"""The base of every value that is read from text or written as text."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A typed value: it never changes, and a field nobody declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def canonical(self) -> str:
        """The one JSON text of this value: sorted keys, no spaces, defaults written out."""
        return canonical_json(self.model_dump(mode="json"))

    def digest(self) -> str:
        """SHA-256 of the canonical text, in hex."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; NaN and infinities are refused with a ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
