"""Config of the class embeddings of a method: its CLIP's text encoder, or a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from benchmark.core.method import Config
from benchmark.core.split import Split
from methods.blocks.class_embeddings.embedding_table import EmbeddingTable, Ensemble, read_embedding_table, read_names


class TextEncoderEmbeddings(Config):
    """Embeddings from the text encoder of the method's CLIP, with the prompts of the split."""

    kind: Literal["text_encoder"] = "text_encoder"


class FileEmbeddings(Config):
    """Embeddings from a file; `class_embeddings={kind: file, file: x.npy}` on the command line.

    Attributes:
        file: .npy file of shape (names, D), or (names, prompts, D), with vectors of unit length.
        names: Text file with one class name per line, or the name or path of a split whose classes are in the order of
            the rows; if empty, the text file next to `file`. Rows are looked up by name, so any order is possible.
        order: "checked", or "trusted" if rows and names match although the checks reject them, as for random vectors.
        ensemble: "mean" for a file of shape (names, prompts, D): the unit vectors of the prompts of a name are averaged
            and the mean is normalized, as for a text encoder with several prompts.
        sha256: Digest of embeddings and names; computed when the config is created. A run is refused if the content has
            changed since it was planned.
    """

    file_fields: ClassVar[Mapping[str, str]] = {"file": "sha256", "names": "sha256"}

    kind: Literal["file"] = "file"
    file: str
    names: str = ""
    order: Literal["checked", "trusted"] = "checked"
    ensemble: Ensemble = "none"
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _add_digest(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping) or not isinstance(fields.get("file"), str):
            return fields
        digest = _hash_content(fields["file"], str(fields.get("names", "")))
        if fields.get("sha256", "") not in ("", digest):
            raise ValueError(
                f"embedding file {fields['file']} or its names have changed since this run was planned: plan it again"
            )
        return {**fields, "sha256": digest}

    def check_split(self, split: Split) -> None:
        """Check that the file has an embedding for every class.

        Raises:
            KeyError: The file lacks a class; the message names the closest match.
            ValueError: The file is broken.
        """
        self.read_table().embed(split.classes)

    def read_table(self) -> EmbeddingTable:
        """Read and check the file, see `read_embedding_table`."""
        return read_embedding_table(self.file, self.names, ensemble=self.ensemble)


ClassEmbeddingsConfig = Annotated[TextEncoderEmbeddings | FileEmbeddings, Field(discriminator="kind")]
"""Config of the source of a method's class embeddings."""


def _hash_content(file: str, names: str) -> str:
    try:
        content = Path(file).read_bytes() + b"\0" + "\n".join(read_names(file, names)).encode()
    except OSError as error:
        raise ValueError(f"embedding file {file} cannot be read: {error.strerror}; give the path of an .npy") from error
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    return hashlib.sha256(content).hexdigest()
