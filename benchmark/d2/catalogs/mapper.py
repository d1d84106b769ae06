"""Mapper for Detectron2's data loaders that processes images as the benchmark's own loaders do."""

from __future__ import annotations

import numpy as np

from benchmark.core.method import Supervision
from benchmark.core.overrides import Overrides, parse_overrides
from benchmark.core.types import Sample
from benchmark.d2.catalogs.catalog import Record, find_subset
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.data.samplers import SampleKey
from benchmark.planning.method_setup import load_protocol_of
from benchmark.planning.registry import load_recipe
from benchmark.utils.method_names import split_method


class SplitMapper:
    """Mapper from records to samples: crops, flips, colors or resizes images as the protocol says.

    Unlike `DatasetMapper` it supports masks of more than 8 bits, and transductive protocols, which need to know the
    pixels to fill with pseudo labels. Augmentation draws from numpy's global generator, as in Detectron2.

    Args:
        name: Name of a registered subset; training subsets are augmented, evaluation subsets resized.
        protocol: Name of a protocol or path of a YAML file; empty for the split's own protocol.
        overrides: Overrides of a run; those below "protocol." are used, the others belong to the method.
        method: Method that the samples are for, which get the captions, tags or points that its supervision includes;
            empty for a method without any.

    Raises:
        KeyError: The dataset, protocol, field or method is unknown; the message suggests the nearest name.
        ValueError: A value is invalid, or the dataset has no captions or points that the method needs.
        FileNotFoundError: The dataset is in none of the data folders.
    """

    def __init__(self, name: str, *, protocol: str = "", overrides: Overrides = (), method: str = "") -> None:
        subset = find_subset(name)
        rules = load_protocol_of(subset.split, protocol=protocol, overrides=parse_overrides(overrides))
        supervision = load_recipe(split_method(method)[0]).traits.supervision if method else Supervision.NONE
        self._loader: TrainLoader | EvalLoader
        if subset.is_train:
            self._loader = TrainLoader(
                subset.dataset, subset.split, protocol=rules, batch_size=1, seed=0, supervision=supervision
            )
        else:
            self._loader = EvalLoader(subset.dataset, subset.split, protocol=rules, supervision=supervision)

    def __call__(self, record: Record) -> Sample:
        """Return the sample of a record: image (3, H, W) and, for training, sem_seg (H, W).

        Raises:
            ValueError: The files of the image are missing or broken.
        """
        index: int = record["index"]
        if isinstance(self._loader, TrainLoader):
            sample = self._loader.sample(SampleKey(int(np.random.randint(2**31)), 0, index))
        else:
            sample, _ = self._loader.sample(index)
        sample["file_name"] = record["file_name"]  # evaluators find the target by this name
        return sample
