"""A tiny dataset in the catalog, a split of it, and label maps of its test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from benchmark.data import catalog
from benchmark.exchange.import_request import ImportRequest
from tests.data.tiny_dataset import SIZE, SPLIT, Tiny

CLASSES = SPLIT.classes
"""owl, dog (unseen) and cat; in the dataset their labels are 3, 1 and 0."""


def add_tiny(monkeypatch: pytest.MonkeyPatch, folder: Path, *, unseen: Sequence[str] = ("dog",)) -> str:
    """Put the dataset into the catalog and return the path of a split file for it."""
    monkeypatch.setitem(catalog.DATASETS, "tiny", Tiny)
    fields = {"dataset": "tiny", "classes": list(CLASSES), "unseen": list(unseen), "protocol": "plain"}
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(fields))
    return str(path)


def make_labels(*, seed: int = 0, num_ids: int = 3) -> dict[str, NDArray[np.uint8]]:
    """Return random ids for every test image, by image id."""
    noise = np.random.default_rng(seed)
    return {
        str(index): noise.integers(0, num_ids, Tiny().read("test", index).labels.shape, dtype=np.uint8)
        for index in range(SIZE)
    }


def read_targets() -> dict[str, NDArray[np.int64]]:
    """Return the target of every test image in classes of the split, worked out from the labels of the dataset."""
    names = Tiny().classes
    table = np.full(256, 255)
    for index, name in enumerate(CLASSES):
        table[names.index(name)] = index
    return {str(index): table[Tiny().read("test", index).labels] for index in range(SIZE)}


def write_labels(folder: Path, labels: Mapping[str, NDArray[Any]]) -> Path:
    """Write label maps as gray PNGs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, ids in labels.items():
        Image.fromarray(ids).save(folder / f"{name}.png")
    return folder


def make_request(path: Path, split: str, **changes: Any) -> ImportRequest:
    """Return a request to import label maps."""
    fields: dict[str, Any] = {"path": path, "name": "Other", "split": split, "supervision": "none"}
    return ImportRequest(**fields | changes)
