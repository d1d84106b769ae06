"""Words from a file: vectors that some text encoder gave once, in an .npy, with the class names beside them.

Nothing of the encoder is needed to use them. What a file cannot say of itself is whether its rows are in the order of
its names; two checks find files in another order. `must_agree` asks a text tower. `must_be_in_order` needs none:
class names that share a word ("wall-brick", "wall-wood") must lie closer together than the same places do after the
rows are moved on by any number. That finds shifted, sorted and shuffled files, not two rows that changed places, and it
is silent about vocabularies whose names share few words (VOC's share none).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.split import load_split, split_names
from benchmark.utils.did_you_mean import unknown_name
from methods.blocks.class_embeddings.text_bank import Words

TOLERANCE = 1e-3
"""How far a norm may be from one: float16 rounds the norms of 512 numbers by half of it."""

SLACK = 1e-3
"""How much more alike wrong names may be than right ones: what means the same has almost the same vector."""

PAIRS = 20
"""From how many pairs of names that share a word on their likeness says something."""

EMPTY_WORDS = {"and", "of", "other", "stuff", "the", "with"}
"""Words that names share without being akin."""


@dataclass(frozen=True, eq=False)
class FileVectors:
    """Unit vectors by class name.

    Attributes:
        file: where they come from.
        names: N different class names.
        table: (N, D) float32, unit length.
    """

    file: str
    names: tuple[str, ...]
    table: Tensor

    @property
    def dimension(self) -> int:
        """Length D of a vector."""
        return self.table.shape[1]

    def vectors(self, names: Sequence[str]) -> Tensor:
        """(K, D), in the order that is asked for.

        Raises:
            KeyError: the file has no such name; names the nearest.
        """
        rows = {name: row for row, name in enumerate(self.names)}
        for name in names:
            if name not in rows:
                raise KeyError(unknown_name(f"class in words file {self.file}:", name, self.names))
        return self.table[[rows[name] for name in names]]


def read_words(file: str, names: str = "") -> FileVectors:
    """Read and check a words file.

    Args:
        file: an .npy of shape (N, D), floating point, unit length; normalised anew after being widened to float32.
        names: a text file with one class name a line, or the name or path of a split whose classes give the order;
            where it is empty, the text file beside `file` that has its name.

    Raises:
        KeyError: no such split; names the nearest.
        ValueError: a file is missing or broken, or names and vectors do not fit; says what to do.
    """
    known = read_names(file, names)
    found = _read_array(file)
    if found.ndim != 2 or found.dtype.kind != "f":
        raise ValueError(f"words file {file} holds {found.dtype} of shape {found.shape}: expected floats, (names, D)")
    if len(found) != len(known):
        raise ValueError(f"words file {file} has {len(found)} rows for {len(known)} names: give the names of its rows")
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise ValueError(f"words file {file} is given names that occur twice: {', '.join(twice)}")
    return FileVectors(file, known, _unit_rows(torch.from_numpy(found.astype(np.float32)), file=file, names=known))


def read_names(file: str, names: str = "") -> tuple[str, ...]:
    """The class names of the rows of a words file; arguments and errors as in `read_words`."""
    if names in split_names() or names.endswith(".yaml"):
        return load_split(names).classes
    path = Path(names) if names else Path(file).with_suffix(".txt")
    if not path.is_file():
        if names and path.suffix != ".txt":
            raise KeyError(unknown_name("split or text file of names", names, split_names()))
        raise ValueError(
            f"{path} is missing: words file {file} needs a text file with one class name a line, in the order of its "
            "rows, or a split that has its classes in this order, as words.names"
        )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"names of words file {file}: {path} cannot be read as text ({error})") from error
    return tuple(line.strip() for line in lines if line.strip())


def _read_array(file: str) -> NDArray[Any]:
    try:
        with open(file, "rb") as stream:
            found: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    except FileNotFoundError as error:
        raise ValueError(f"words file {file} is missing: give the path of an .npy") from error
    except (OSError, ValueError, EOFError) as error:
        line = str(error).strip().partition("\n")[0][:150]
        raise ValueError(f"words file {file} is cut short or no .npy of numbers ({line})") from error
    return found


def _unit_rows(table: Tensor, *, file: str, names: Sequence[str]) -> Tensor:
    """The rows at exactly unit length, where they were almost of it."""
    norms = table.norm(dim=1)
    worst = int((norms - 1).abs().nan_to_num(nan=torch.inf).argmax())
    if not abs(float(norms[worst]) - 1) <= TOLERANCE:  # also where it is not a number
        raise ValueError(
            f"words file {file}: the vector of {names[worst]!r} (row {worst}) has norm {float(norms[worst]):.4g}, "
            f"expected 1 within {TOLERANCE}: normalise the rows, x / np.linalg.norm(x, axis=1, keepdims=True)"
        )
    return F.normalize(table, dim=1)


def must_share_space(words: FileVectors, tower: Words) -> None:
    """Raises ValueError where the vectors of a file are not as long as a CLIP's."""
    if tower.dimension != words.dimension:
        raise ValueError(
            f"words file {words.file} has vectors of length {words.dimension}, this CLIP's joint space has "
            f"{tower.dimension}: give the words of the same CLIP"
        )


def must_agree(words: FileVectors, tower: Words) -> None:
    """Every row must be most like what a text tower says to its own name. The prompts need not be the same.

    Raises:
        ValueError: a row is not; names the first one, and the name it is most like.
    """
    cosines = words.table @ tower.vectors(words.names).T
    best, nearest = cosines.max(dim=1)
    wrong = (best - cosines.diagonal() > SLACK).nonzero().flatten().tolist()
    if wrong:
        row, other = wrong[0], int(nearest[wrong[0]])
        raise ValueError(
            f"words file {words.file}: row {row}, {words.names[row]!r}, is most like what this CLIP says to "
            f"{words.names[other]!r} ({cosines[row, other]:.3f}; to its own name {cosines[row, row]:.3f}); so "
            f"{len(wrong)} of {len(words.names)} rows: their order is another, or the CLIP is; where that is meant, "
            "set words.order=trusted"
        )


def must_be_in_order(words: FileVectors) -> None:
    """Names that share a word must be closest in the order given, among all orders that the rows moved on would have.

    Raises:
        ValueError: they are closer in another one; says which. Never with fewer than `PAIRS` such pairs.
    """
    akin = kin(words.names)
    if len(akin) < PAIRS:
        return
    first, second = torch.tensor(akin).T
    count = len(words.names)
    gram = words.table @ words.table.T
    shifts = torch.arange(count)[:, None]
    likeness = gram[(first + shifts) % count, (second + shifts) % count].mean(dim=1)
    best = int(likeness.argmax())
    if likeness[best] - likeness[0] > SLACK:
        raise ValueError(
            f"words file {words.file}: its rows seem to be in another order than its names: {len(akin)} pairs of names "
            f"share a word, and are less alike ({likeness[0]:.3f}) than if the rows were moved on by {best} "
            f"({likeness[best]:.3f}); where the order is right all the same, set words.order=trusted"
        )


def kin(names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of names that share a word, as indices."""
    words = [set(re.findall(r"[a-z]+", name.lower())) - EMPTY_WORDS for name in names]
    return [(one, other) for one, other in combinations(range(len(names)), 2) if words[one] & words[other]]
