"""The file of an imported run that says which files were read, and what their ids mean."""

from __future__ import annotations

from pydantic import Field

from benchmark.utils.frozen_model import VersionedModel


class ImportedFiles(VersionedModel):
    """Files of imported label maps.

    Attributes:
        ids: Name of the class by id, or by color such as "#800000"; None for no class.
        files: SHA-256 of each file by its path relative to the folder.
    """

    ids: dict[str, str | None] = Field(min_length=1)
    files: dict[str, str]
