"""Detectron2's place for a mapper, filled with what our own loader does to an image."""

from __future__ import annotations

import numpy as np

from benchmark.core.overrides import Overrides, parse_overrides
from benchmark.core.types import Sample
from benchmark.d2.catalogs.catalog import Record, view_of
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.data.samplers import Key
from benchmark.planning.resolve import rules_for


class SplitMapper:
    """Turns a record of a split into a sample: cropped, flipped and coloured, or resized, as the protocol says.

    For every number of classes, where `DatasetMapper` knows 8-bit masks; and for transductive protocols, where it does
    not know which pixels are to be filled. Augmentation draws from numpy's global stream, as Detectron2's does.

    Args:
        name: of a split's part in Detectron2's catalogs; whether it is trained or scored on decides what is done.
        protocol: name, or path of a YAML file; the split's own where empty.
        overrides: those below "protocol." count, the others are a method's.

    Raises:
        KeyError: there is no such data set, protocol or field of it; names the nearest.
        ValueError: an impossible value.
        FileNotFoundError: the data are in none of the folders.
    """

    def __init__(self, name: str, *, protocol: str = "", overrides: Overrides = ()) -> None:
        view = view_of(name)
        rules = rules_for(view.split, protocol=protocol, overrides=parse_overrides(overrides))
        self._view: TrainLoader | EvalLoader
        if view.is_train:
            self._view = TrainLoader(view.dataset, view.split, protocol=rules, batch_size=1, seed=0)
        else:
            self._view = EvalLoader(view.dataset, view.split, protocol=rules)

    def __call__(self, record: Record) -> Sample:
        """A sample, with labels in training only. Raises ValueError where the image's files are broken."""
        index: int = record["index"]
        if isinstance(self._view, TrainLoader):
            sample = self._view.sample(Key(int(np.random.randint(2**31)), 0, index))
        else:
            sample, _ = self._view.sample(index)
        sample["file_name"] = record["file_name"]  # by which evaluators find the truth
        return sample
