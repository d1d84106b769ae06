"""Data sets by name: the embedded world, and those that lie in folders."""

from __future__ import annotations

import os
from collections.abc import Callable

from benchmark.data.base import Dataset
from benchmark.data.folders.dataset import FolderDataset
from benchmark.data.folders.dataset_spec import DatasetInfo, info_names, load_info
from benchmark.data.folders.discovery import VARIABLE, data_folders, find
from benchmark.data.toybox.dataset import ToyBox
from benchmark.utils.did_you_mean import unknown_name

DATASETS: dict[str, Callable[[], Dataset]] = {"toybox": ToyBox}
"""Data sets without files: name to what opens it. Opening reads nothing; the first image does."""


def dataset_names() -> list[str]:
    """Every name that `open_dataset` knows, sorted."""
    return sorted({*DATASETS, *info_names()})


def open_dataset(name: str) -> Dataset:
    """Open a data set; one with files is looked for below the folders in $CHIMERA_BENCH_DATA.

    Raises:
        KeyError: no such data set; names the nearest.
        FileNotFoundError: its files are in none of the folders; says what was looked for and what to do.
    """
    if name in DATASETS:
        return DATASETS[name]()
    if name not in info_names():
        raise KeyError(unknown_name("data set", name, dataset_names()))
    info = load_info(name)
    found = find(info, data_folders())
    if found is None:
        raise FileNotFoundError(not_found(info))
    return FolderDataset(info, found)


def not_found(info: DatasetInfo) -> str:
    """One line on where a data set was looked for in vain, and what to do."""
    roots = dict.fromkeys(root for layout in info.layouts.values() for root in layout.roots if root != ".")
    advice = f"what is missing: chimera-bench data check {info.name} --root DIR"
    folders = data_folders()
    if not folders:
        return (
            f"data set {info.name!r} lies in files, and no folder is given: chimera-bench --data DIR, or {VARIABLE}, "
            f"with {' or '.join(roots)} in DIR; {advice}"
        )
    below = os.pathsep.join(map(str, folders))
    return f"data set {info.name!r} is not in {below}: looked for {', '.join(roots)} and the folder itself; {advice}"
