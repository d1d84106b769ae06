"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.data.base import Dataset
from benchmark.data.toybox.dataset import ToyBox
from benchmark.suggest import unknown_name

DATASETS: dict[str, Callable[[], Dataset]] = {"toybox": ToyBox}
"""Name to what opens it. Opening reads nothing; the first image does."""


def dataset_names() -> list[str]:
    """Every name that `open_dataset` knows, sorted."""
    return sorted(DATASETS)


def open_dataset(name: str) -> Dataset:
    """Open a data set.

    Raises:
        KeyError: no such data set; names the nearest.
    """
    if name not in DATASETS:
        raise KeyError(unknown_name("data set", name, dataset_names()))
    return DATASETS[name]()
