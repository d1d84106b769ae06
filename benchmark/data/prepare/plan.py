"""Plan of a preparation: the files to write, and the search for the originals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from benchmark.data.folders.dataset_spec import UNDEFINED, ImageSource, MaskEncoding
from benchmark.data.prepare.work import ConversionTask


@dataclass(frozen=True)
class PreparationPlan:
    """Everything that a preparation writes.

    Attributes:
        tasks: Files to convert.
        links: Folder of originals that each symbolic link points to; images are not copied.
        lists: Text of each list of images; lists are written last, when their subset is complete.
        inputs: Originals that are no source of a task.
    """

    tasks: tuple[ConversionTask, ...]
    links: Mapping[Path, Path] = field(default_factory=dict)
    lists: Mapping[Path, str] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()


def find_base(root: Path, roots: Sequence[str], *, contents: Sequence[str]) -> Path:
    """Return the first of several folders that contains the originals.

    Args:
        root: Folder given by the user.
        roots: Folders to look in, relative to `root`.
        contents: Files or folders of the originals; one of them is enough.

    Raises:
        ValueError: No folder contains any of them; the message lists the expected files.
    """
    for name in roots:
        if any((root / name / content).exists() for content in contents):
            return root / name
    tried = ", ".join(name for name in roots if name != ".")
    raise ValueError(
        f"found no {' and no '.join(contents)} in {root}, neither directly nor in {tried}; give the folder that has it"
    )


def get_folder(pattern: str) -> str:
    """Return the folder of a pattern such as images/train2017/{}.jpg."""
    return str(PurePosixPath(pattern).parent)


def get_mask_path(source: ImageSource, image_id: str) -> str:
    """Return the path of an image's mask, relative to the root of the layout."""
    return source.masks[0].format(image_id)


def tabulate_values(encoding: MaskEncoding, size: int) -> NDArray[np.uint8]:
    """Tabulate the mask value of each class; the inverse of `MaskEncoding.build_table`.

    Returns:
        (size,) mask values; 0 at indices without a class.
    """
    values = np.zeros(size, dtype=np.uint8)
    for value, label in encoding.map_values().items():
        values[label] = value
    return values


def check_labels(
    labels: NDArray[np.int32], values: NDArray[np.integer], *, path: Path, expected: str
) -> NDArray[np.int32]:
    """Return labels that were looked up in a table, if all values have a meaning.

    Args:
        labels: (H, W) labels, UNDEFINED for illegal values.
        values: (H, W) values of the original.
        path: Path of the original, for error messages.
        expected: Description of the legal values.

    Returns:
        The labels, (H, W).

    Raises:
        ValueError: Some values are illegal; the message names the file and the values.
    """
    if labels.min(initial=0) == UNDEFINED:
        illegal = np.unique(values[labels == UNDEFINED]).tolist()
        raise ValueError(f"{path} has values {illegal[:10]}, expected {expected}")
    return labels
