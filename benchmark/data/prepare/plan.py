"""What a preparation consists of, and where its originals are looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from benchmark.data.folders.dataset_spec import ILLEGAL, Ids, Source
from benchmark.data.prepare.work import Task


@dataclass(frozen=True)
class Plan:
    """Everything that a preparation writes.

    Attributes:
        tasks: files to be made.
        links: symbolic link to the folder of originals that it leads to: pictures are not copied.
        lists: text files, written last: where they lie, the part that they list is whole.
        inputs: originals that are no source of a task.
    """

    tasks: tuple[Task, ...]
    links: Mapping[Path, Path] = field(default_factory=dict)
    lists: Mapping[Path, str] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()


def base_of(root: Path, roots: Sequence[str], *, holding: Sequence[str]) -> Path:
    """The first of `roots` below `root` that has any of the files or folders `holding`.

    Raises:
        ValueError: none has; says what was looked for.
    """
    for name in roots:
        if any((root / name / one).exists() for one in holding):
            return root / name
    tried = ", ".join(name for name in roots if name != ".")
    raise ValueError(f"{root} has no {' and no '.join(holding)}, in itself or in {tried}: give the folder that has")


def folder_of(pattern: str) -> str:
    """The folder in a pattern such as images/train2017/{}.jpg."""
    return str(PurePosixPath(pattern).parent)


def mask_of(source: Source, image_id: str) -> str:
    """Where a layout has the mask of an image."""
    return source.masks[0].format(image_id)


def values_of(ids: Ids, size: int) -> NDArray[np.uint8]:
    """Class index to mask value, the other way round than `Ids.table`.

    Returns:
        (size,), 0 where no class is.
    """
    values = np.zeros(size, dtype=np.uint8)
    for value, label in ids.pairs().items():
        values[label] = value
    return values


def legal(labels: NDArray[np.int32], values: NDArray[np.integer], *, path: Path, expected: str) -> NDArray[np.int32]:
    """`labels`, which a table gave for `values`.

    Raises:
        ValueError: some values stand for nothing; names the file and the values.
    """
    if labels.min(initial=0) == ILLEGAL:
        wrong = np.unique(values[labels == ILLEGAL]).tolist()
        raise ValueError(f"{path} has values {wrong[:10]}, expected {expected}")
    return labels
