"""Class embeddings from a file: an .npy that a text encoder wrote, and the class names of its rows.

The text encoder is not needed to use such a file. `methods.blocks.class_embeddings.row_order` checks that the rows are
in the order of the names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.split import list_splits, load_split
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.input_files import record_input

NORM_TOLERANCE = 1e-3
"""Accepted deviation of a norm from one: float16 rounds the norms of vectors of length 512 by half of it."""


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """Unit vectors by class name.

    Attributes:
        file: File that holds the vectors.
        names: N distinct class names.
        table: (N, D) float32 unit vectors.
    """

    file: str
    names: tuple[str, ...]
    table: Tensor

    @property
    def dimension(self) -> int:
        """Length D of a vector."""
        return self.table.shape[1]

    def embed(self, names: Sequence[str]) -> Tensor:
        """Return the embeddings of K class names, (K, D) unit vectors in the order of the names.

        Raises:
            KeyError: The file has no such name; the message names the closest match.
        """
        rows = {name: row for row, name in enumerate(self.names)}
        for name in names:
            if name not in rows:
                raise KeyError(explain_unknown_name(f"class in embedding file {self.file}:", name, self.names))
        return self.table[[rows[name] for name in names]]


def read_embedding_table(file: str, names: str = "") -> EmbeddingTable:
    """Read and check an embedding file.

    Args:
        file: .npy file of shape (N, D), floating point, rows of unit length; the rows are converted to float32 and
            normalized again.
        names: Text file with one class name per line, or the name or path of a split whose classes are in the order of
            the rows; if empty, the text file next to `file` with the same stem.

    Raises:
        KeyError: The split does not exist; the message names the closest match.
        ValueError: A file is missing or broken, or names and rows do not match.
    """
    row_names = read_names(file, names)
    array = _read_array(file)
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError(
            f"embedding file {file} holds {array.dtype} of shape {array.shape}: expected floats, (names, D)"
        )
    if len(array) != len(row_names):
        raise ValueError(
            f"embedding file {file} has {len(array)} rows for {len(row_names)} names: give one name for each row"
        )
    duplicates = sorted({name for name in row_names if row_names.count(name) > 1})
    if duplicates:
        raise ValueError(f"names of embedding file {file} occur more than once: {', '.join(duplicates)}")
    table = _normalize_rows(torch.from_numpy(array.astype(np.float32)), file=file, names=row_names)
    return EmbeddingTable(file, row_names, table)


def read_names(file: str, names: str = "") -> tuple[str, ...]:
    """Read the class names of the rows of an embedding file; arguments and errors as in `read_embedding_table`."""
    if names in list_splits() or names.endswith(".yaml"):
        return load_split(names).classes
    path = Path(names) if names else Path(file).with_suffix(".txt")
    if not path.is_file():
        if names and path.suffix != ".txt":
            raise KeyError(explain_unknown_name("split or text file of names", names, list_splits()))
        raise ValueError(
            f"{path} is missing: embedding file {file} needs class_embeddings.names, a text file with one class name "
            "per line in the order of the rows, or a split with its classes in this order"
        )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"names of embedding file {file}: {path} cannot be read as text ({error})") from error
    record_input(path)
    return tuple(line.strip() for line in lines if line.strip())


def _read_array(file: str) -> NDArray[Any]:
    try:
        with open(file, "rb") as stream:
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except FileNotFoundError as error:
        raise ValueError(f"embedding file {file} is missing: give the path of an .npy") from error
    except (OSError, ValueError, EOFError) as error:
        line = str(error).strip().partition("\n")[0][:150]
        raise ValueError(f"embedding file {file} is truncated or no .npy of numbers ({line})") from error
    record_input(file)
    return array


def _normalize_rows(table: Tensor, *, file: str, names: Sequence[str]) -> Tensor:
    """Normalize rows (N, D) whose norms are almost one, and refuse all others."""
    norms = table.norm(dim=1)
    worst = int((norms - 1).abs().nan_to_num(nan=torch.inf).argmax())
    if not abs(float(norms[worst]) - 1) <= NORM_TOLERANCE:  # also true for NaN
        raise ValueError(
            f"embedding file {file}: the vector of {names[worst]!r} (row {worst}) has norm {float(norms[worst]):.4g}, "
            f"expected 1 within {NORM_TOLERANCE}: normalize the rows, x / np.linalg.norm(x, axis=1, keepdims=True)"
        )
    return F.normalize(table, dim=1)
