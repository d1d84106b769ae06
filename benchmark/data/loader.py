"""What training and scoring see of a data set: batches with final labels.

Labels are final here. Training sees indices into the split's seen classes and IGNORE everywhere else, so nothing that
comes later can look at an unseen pixel; scoring sees indices into all classes of the split. Classes are matched by
name. Batch i is a pure function of (seed, i): the number of workers, an interruption or a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from benchmark.data.base import Dataset, Labelled
from benchmark.data.samplers import EndlessOrder, Key
from benchmark.data.transforms import Augment, cropping_parts, training_parts
from benchmark.seeding import torch_generator
from benchmark.split import Split
from benchmark.suggest import unknown_name
from benchmark.types import IGNORE, Batch, Sample

_UNDEFINED = -1


class LabelTable:
    """Translates ids of a data set to labels of a split, by class name.

    Args:
        classes: of the data set, in id order.
        kept: names that get their index here as label; the other classes become IGNORE.

    Raises:
        ValueError: more than 255 classes on either side, as 255 is IGNORE.
    """

    def __init__(self, classes: Sequence[str], *, kept: Sequence[str]) -> None:
        if max(len(classes), len(kept)) > IGNORE:
            raise ValueError(
                f"{len(classes)} classes of which {len(kept)} are kept: label {IGNORE} means ignore, so there can be "
                f"at most {IGNORE} classes; merge or leave out some"
            )
        label_of = {name: label for label, name in enumerate(kept)}
        self._table = np.full(IGNORE + 1, _UNDEFINED, dtype=np.int64)
        self._table[: len(classes)] = [label_of.get(name, IGNORE) for name in classes]
        self._table[IGNORE] = IGNORE

    def __call__(self, labelled: Labelled) -> Tensor:
        """Labels (H, W) long.

        Raises:
            ValueError: the mask has ids that are neither a class nor 255, or another size than the picture.
        """
        ids = labelled.labels
        if ids.shape != labelled.image.shape[:2]:
            raise ValueError(
                f"{labelled.file_name}: the mask has (rows, columns) {ids.shape}, the picture "
                f"{labelled.image.shape[:2]}; they must agree"
            )
        in_table = (ids >= 0) & (ids <= IGNORE)
        labels = np.where(in_table, self._table[np.where(in_table, ids, 0)], _UNDEFINED)
        if (labels == _UNDEFINED).any():
            wrong = np.unique(ids[labels == _UNDEFINED]).tolist()
            raise ValueError(
                f"{labelled.file_name}: the mask has ids {wrong[:10]}, which are neither a class "
                f"(0 to {int((self._table[:IGNORE] != _UNDEFINED).sum()) - 1}) nor {IGNORE} for ignore"
            )
        return torch.from_numpy(labels)


@dataclass(frozen=True)
class _Reader(TorchDataset[Sample]):
    """One part of a data set as finished samples, by key. Picklable, so that any kind of worker process can have it."""

    dataset: Dataset
    part: str
    table: LabelTable
    augment: Augment

    def __getitem__(self, key: Key) -> Sample:
        labelled = self.dataset.read(self.part, key.image)
        pixels = torch.from_numpy(np.ascontiguousarray(labelled.image)).permute(2, 0, 1).float()
        image, labels = self.augment(pixels, self.table(labelled), key)
        height, width = labels.shape
        return {
            "image": image,
            "height": height,
            "width": width,
            "file_name": labelled.file_name,
            "image_id": labelled.image_id,
            "sem_seg": labels,
        }


class TrainView:
    """Training batches of a split: seen classes only, augmented, without end.

    Labels are indices into `split.seen`, the names that a method is given before `fit`.

    Args:
        dataset: the one that the split names.
        split: which classes and which part.
        batch_size: images a batch.
        crop: side of square training crops in pixels; 0 for whole pictures.
        seed: of order and augmentation.
        workers: processes that read ahead; 0 reads in this one.

    Raises:
        ValueError: a class of the split is not in the data set, or a number is out of range.
        KeyError: the data set has no such part.
    """

    def __init__(
        self, dataset: Dataset, split: Split, *, batch_size: int, crop: int, seed: int, workers: int = 0
    ) -> None:
        _check_split(dataset, split)
        _check_least(1, batch_size=batch_size)
        _check_least(0, crop=crop, workers=workers)
        self._size = _size(dataset, split.train)
        self._batch_size = batch_size
        self._workers = workers
        self._order = EndlessOrder(self._size, seed=seed)
        table = LabelTable(dataset.classes, kept=split.seen)
        self._reader = _Reader(dataset, split.train, table, Augment(seed, "augment", training_parts(crop)))
        self._first = _Reader(dataset, split.train, table, Augment(seed, "initial", cropping_parts(crop)))

    def __len__(self) -> int:
        """Images in the training part."""
        return self._size

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of iterations `start` to `stop` - 1."""
        if not 0 <= start <= stop:
            raise ValueError(f"batches {start} to {stop}: expected 0 <= start <= stop")
        keys = (self._order.batch(iteration, batch_size=self._batch_size) for iteration in range(start, stop))
        yield from _deliver(self._reader, keys, workers=self._workers)

    def initial(self, count: int) -> Iterator[Batch]:
        """The first `count` images of the order, each once, cropped but otherwise as they are.

        A count above the number of images gives all of them. Labels are withheld as in training.
        """
        _check_least(0, count=count)
        count = min(count, self._size)
        spans = [range(first, min(first + self._batch_size, count)) for first in range(0, count, self._batch_size)]
        keys = ([Key(0, position, self._order.index(position)) for position in span] for span in spans)
        # read here and not by workers: a caller may keep all of it, and workers' tensors hold open files
        yield from _deliver(self._first, keys, workers=0)


class TestView:
    """The scored images of a split, in order, each with its truth.

    Truth labels are indices into `split.classes`.

    Args:
        dataset: the one that the split names.
        split: which classes and which part.
        limit: only the first images; 0 for all.
        workers: processes that read ahead; 0 reads in this one.

    Raises:
        ValueError: a class of the split is not in the data set, or a number is out of range.
        KeyError: the data set has no such part.
    """

    __test__ = False  # not a pytest class, whatever its name begins with

    def __init__(self, dataset: Dataset, split: Split, *, limit: int = 0, workers: int = 0) -> None:
        _check_split(dataset, split)
        _check_least(0, limit=limit, workers=workers)
        size = _size(dataset, split.evaluate)
        self._size = min(limit, size) if limit else size
        self._workers = workers
        table = LabelTable(dataset.classes, kept=split.classes)
        self._reader = _Reader(dataset, split.evaluate, table, Augment(0, "none", ()))

    def __len__(self) -> int:
        """Images that are scored."""
        return self._size

    def __iter__(self) -> Iterator[tuple[Sample, Tensor]]:
        """Samples without `sem_seg`, each with its truth (H, W) long; 255 is not scored."""
        keys = ([Key(0, 0, index)] for index in range(self._size))
        for (sample,) in _deliver(self._reader, keys, workers=self._workers):
            truth = sample.pop("sem_seg")
            yield sample, truth


def _deliver(reader: _Reader, keys: Iterable[list[Key]], *, workers: int) -> Iterator[Batch]:
    loader: DataLoader[Sample] = DataLoader(
        reader,
        batch_sampler=keys,
        num_workers=workers,
        collate_fn=_as_it_is,
        # its own generator: a DataLoader without one draws from torch's global stream whenever it starts
        generator=torch_generator("loader"),
    )
    yield from loader


def _as_it_is(batch: Batch) -> Batch:
    return batch


def _check_split(dataset: Dataset, split: Split) -> None:
    missing = [name for name in split.classes if name not in dataset.classes]
    if missing:
        reason = unknown_name("class", missing[0], dataset.classes)
        more = f" Also missing: {', '.join(missing[1:])}." if missing[1:] else ""
        raise ValueError(f"split {split.name!r} does not fit data set {dataset.name!r}: {reason}.{more}")


def _check_least(least: int, **numbers: int) -> None:
    for name, value in numbers.items():
        if value < least:
            raise ValueError(f"{name} is {value}, expected at least {least}")


def _size(dataset: Dataset, part: str) -> int:
    size = dataset.size(part)
    if size < 1:
        raise ValueError(f"part {part!r} of data set {dataset.name!r} is empty")
    return size
