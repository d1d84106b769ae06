"""Catalog of datasets by name: the built-in synthetic dataset (toybox), and those of images and scans in folders."""

from __future__ import annotations

import os
from collections.abc import Callable

from benchmark.data.base import Dataset
from benchmark.data.folders.dataset import FolderDataset
from benchmark.data.folders.dataset_spec import DatasetSpec, list_dataset_specs, load_dataset_spec
from benchmark.data.folders.discovery import DATA_VARIABLE, list_data_folders, locate_dataset
from benchmark.data.points.lidar_catalog import LIDAR_SOURCES, open_lidar_dataset
from benchmark.data.toybox.dataset import ToyBox
from benchmark.utils.did_you_mean import explain_unknown_name

DATASETS: dict[str, Callable[[], Dataset]] = {"toybox": ToyBox}
"""Datasets without files, by name, each with its constructor. Construction reads nothing."""


def list_datasets() -> list[str]:
    """Return the names that `open_dataset` accepts, sorted."""
    return sorted({*DATASETS, *LIDAR_SOURCES, *list_dataset_specs()})


def open_dataset(name: str) -> Dataset:
    """Open a dataset; its files, if it has any, are looked for below the folders in $CHIMERA_BENCH_DATA.

    Raises:
        KeyError: No dataset has this name; the message suggests the closest one.
        FileNotFoundError: The files are in none of the folders; the message lists the expected folders.
    """
    if name in DATASETS:
        return DATASETS[name]()
    if name in LIDAR_SOURCES:
        return open_lidar_dataset(name, list_data_folders())
    if name not in list_dataset_specs():
        raise KeyError(explain_unknown_name("dataset", name, list_datasets()))
    spec = load_dataset_spec(name)
    location = locate_dataset(spec, list_data_folders())
    if location is None:
        raise FileNotFoundError(describe_absence(spec))
    return FolderDataset(spec, location)


def describe_absence(spec: DatasetSpec) -> str:
    """Return a one-line message about a dataset that was not found: where it was looked for and what to do."""
    roots = dict.fromkeys(root for layout in spec.layouts.values() for root in layout.roots if root != ".")
    advice = f"for details: chimera-bench data check {spec.name}"
    folders = list_data_folders()
    if not folders:
        return (
            f"dataset {spec.name!r} needs a data folder: pass --data DIR or set {DATA_VARIABLE}=DIR, where DIR "
            f"contains {' or '.join(roots)}; {advice} --root DIR"
        )
    searched = os.pathsep.join(map(str, folders))
    return (
        f"dataset {spec.name!r} was not found in {searched}: looked for {', '.join(roots)} and for its files directly "
        f"in the folder; {advice}"
    )
