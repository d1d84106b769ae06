"""Base of all values that are read from text or written as text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, GetCoreSchemaHandler, ValidationInfo, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from benchmark.utils.identity import IdentifiedModel, identify
from benchmark.utils.plain_numbers import refuse_other_types

FORMAT = 3
"""Version of the files of runs and plans; 1 had no number. Files of another version are refused.

Part of every run's identity: with another number, all runs are others. A new number is needed if a default of the core
(budget, split, protocol) changes, because fields at their default are not part of the identity.
"""
OTHER_FORMAT = "other_format"
"""Type of the validation error for a file of another version."""
BAD_FORMAT = "bad_format"
"""Type of the validation error for a file without a format number, or with another value in its place."""


class FrozenModel(IdentifiedModel):
    """A typed, immutable value; undeclared fields are errors, and so are numbers given as texts or as true and false.

    Attributes:
        renamed_fields: Old name to new name, so that an old name is answered with the new one. A class attribute.
    """

    # built when first used: a command that reads a few kinds of values does not wait for all others
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=(), defer_build=True
    )
    renamed_fields: ClassVar[Mapping[str, str]] = {}

    def canonical(self) -> str:
        """Return the one JSON text of this value: sorted keys, no spaces, defaults written out."""
        return format_canonical_json(self.model_dump(mode="json"))

    def digest(self) -> str:
        """Return the SHA-256, in hex, of what identifies this value, see `benchmark.utils.identity.identify`."""
        return hashlib.sha256(format_canonical_json(identify(self)).encode()).hexdigest()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler, /) -> CoreSchema:
        """Return the schema of a model whose numbers accept nothing but numbers."""
        schema = handler(source)
        model: Any = handler.resolve_ref_schema(schema)
        while model["type"] != "model-fields":
            model = model["schema"]
        refuse_other_types(model["fields"])
        return schema

    @model_validator(mode="before")
    @classmethod
    def _answer_renamed_fields(cls, fields: Any) -> Any:
        old_names = [name for name in cls.renamed_fields if isinstance(fields, Mapping) and name in fields]
        if old_names:
            raise ValueError(explain_renamed(old_names[0], cls.renamed_fields[old_names[0]]))
        return fields


class VersionedModel(FrozenModel):
    """A value in a file that outlives the version of the code that wrote it.

    Attributes:
        renewal: What to do with a file of another version. A class attribute.
        format: Version of the file.
    """

    renewal: ClassVar[str] = "run it again"

    format: int = FORMAT

    @model_validator(mode="before")
    @classmethod
    def _check_format(cls, fields: Any, info: ValidationInfo) -> Any:
        if info.mode == "json" and isinstance(fields, Mapping):
            _check_number(fields.get("format"), expected=cls.model_fields["format"].default, renewal=cls.renewal)
        return fields


def _check_number(number: Any, *, expected: int, renewal: str) -> None:
    """Check the format number of a file; None if it has none.

    Raises:
        PydanticCustomError: The number is another one, or none; the message says what that means.
    """
    if number == expected:
        return
    if type(number) is not int:
        found = f"its format is {number!r}, expected {expected}"
        message = "it has no format number, which all versions but the first write" if number is None else found
        raise PydanticCustomError(BAD_FORMAT, "{message}", {"message": message})
    if number < expected:
        message = f"was written by an older version of chimera-bench; {renewal}"
    else:
        message = f"was written by a newer version of chimera-bench (format {number}, not {expected}): update this one"
    raise PydanticCustomError(OTHER_FORMAT, "{message}", {"message": message})


def explain_renamed(old: str, new: str) -> str:
    """Return one line that answers the old name of a field with its new one."""
    return f"{old!r} is now called {new!r}"


def format_canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces.

    Raises:
        ValueError: The value holds NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
