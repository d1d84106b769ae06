"""Class embeddings from a file: an .npy that a text encoder wrote, and the class names of its rows.

The text encoder is not needed to use such a file. `methods.blocks.class_embeddings.row_order` checks that the rows are
in the order of the names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.split import list_splits, load_split
from benchmark.core.split_draw import is_drawn
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.input_files import record_input
from methods.blocks.weight_files import find_problem_of_file

Ensemble = Literal["none", "mean"]
"""Treatment of several vectors per name: there is one, or their mean is taken."""

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


def read_embedding_table(file: str, names: str = "", *, ensemble: Ensemble = "none") -> EmbeddingTable:
    """Read and check an embedding file.

    Args:
        file: .npy file of shape (N, D), or (N, T, D) with T prompts for each name, floating point, vectors of unit
            length; they are converted to float32 and normalized again.
        names: Text file with one class name per line, or the name or path of a split whose classes are in the order of
            the rows; if empty, the text file next to `file` with the same stem.
        ensemble: "mean" to average the T vectors of each name and normalize the mean.

    Raises:
        KeyError: The split does not exist; the message names the closest match.
        ValueError: A file is missing or broken, or names and rows do not match.
    """
    row_names = read_names(file, names)
    array = _read_array(file)
    _check_shape(array, file=file, ensemble=ensemble)
    if len(array) != len(row_names):
        raise ValueError(
            f"embedding file {file} has {len(array)} rows for {len(row_names)} names: give one name for each row"
        )
    duplicates = sorted({name for name in row_names if row_names.count(name) > 1})
    if duplicates:
        raise ValueError(f"names of embedding file {file} occur more than once: {', '.join(duplicates)}")
    if len(array) > 1 and (array == array[0]).all():
        raise ValueError(f"embedding file {file} has the same vector for all {len(array)} names: write it again")
    vectors = _normalize_rows(torch.from_numpy(array.astype(np.float32)), file=file, names=row_names)
    table = vectors if ensemble == "none" else F.normalize(vectors.mean(dim=1), dim=1)  # (N, D)
    return EmbeddingTable(file, row_names, table)


def read_names(file: str, names: str = "") -> tuple[str, ...]:
    """Read the class names of the rows of an embedding file; arguments and errors as in `read_embedding_table`."""
    if names in list_splits() or names.endswith(".yaml") or is_drawn(names):
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
    problem = find_problem_of_file(Path(file)) if Path(file).is_file() else ""
    if problem:
        raise ValueError(f"embedding file {file}: {problem}")
    try:
        with open(file, "rb") as stream:
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except FileNotFoundError as error:
        raise ValueError(f"embedding file {file} is missing: give the path of an .npy") from error
    except (OSError, ValueError, EOFError) as error:
        if "Object arrays" in str(error):
            advice = "save it as np.save(file, np.stack(list(array)).astype(np.float32))"
            raise ValueError(f"embedding file {file} holds Python objects, expected floats: {advice}") from error
        line = str(error).strip().partition("\n")[0][:150]
        raise ValueError(f"embedding file {file} is truncated or no .npy of numbers ({line})") from error
    record_input(file)
    return array


def _check_shape(array: NDArray[Any], *, file: str, ensemble: Ensemble) -> None:
    """Refuse arrays that are no vectors, one for each name, or T for each name if they are to be averaged."""
    axes = {"none": 2, "mean": 3}[ensemble]
    if array.ndim == axes and array.dtype.kind == "f" and array.size:
        return
    text = f"embedding file {file} holds {array.dtype} of shape {array.shape}"
    if array.ndim == 3 and array.dtype.kind == "f" and array.size:
        raise ValueError(
            f"{text}: {array.shape[1]} prompts for each of {array.shape[0]} names; set "
            "class_embeddings.ensemble=mean to average them, or give floats, (names, D)"
        )
    expected = "(names, D)" if ensemble == "none" else "(names, prompts, D), as class_embeddings.ensemble is mean"
    raise ValueError(f"{text}: expected floats, {expected}")


def _normalize_rows(table: Tensor, *, file: str, names: Sequence[str]) -> Tensor:
    """Normalize vectors (N, D) or (N, T, D) whose norms are almost one, and refuse all others."""
    norms = table.norm(dim=-1).reshape(len(names), -1)  # (N, T)
    deviations = (norms - 1).abs().nan_to_num(nan=torch.inf)
    row, prompt = divmod(int(deviations.argmax()), norms.shape[1])
    if deviations[row, prompt] > NORM_TOLERANCE:
        owner = f"{names[row]!r} (row {row}{f', prompt {prompt}' if table.ndim == 3 else ''})"
        if not torch.isfinite(table[row]).all():
            raise ValueError(f"embedding file {file}: the vector of {owner} has values that are nan or infinite")
        raise ValueError(
            f"embedding file {file}: the vector of {owner} has norm {float(norms[row, prompt]):.4g}, "
            f"expected 1 within {NORM_TOLERANCE}: normalize the vectors, x / np.linalg.norm(x, axis=-1, keepdims=True)"
        )
    return F.normalize(table, dim=-1)
