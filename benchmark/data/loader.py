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

from benchmark.core.protocol import EvalTransform, Protocol, TrainImages
from benchmark.core.seeding import torch_generator
from benchmark.core.split import Split
from benchmark.core.types import Batch, Sample
from benchmark.data.base import Dataset, RawSample
from benchmark.data.label_maps import LabelTable
from benchmark.data.resize import fitted, resized
from benchmark.data.samplers import EndlessOrder, Key
from benchmark.data.transforms import Augment, plain_parts, training_parts
from benchmark.utils.did_you_mean import unknown_name

_PADDING, _WITHHELD = -2, -3
"""Labels of what lies outside a picture and of unseen classes, while a transductive sample is made; not seen later."""


@dataclass(frozen=True)
class _Reader(TorchDataset[Sample]):
    """One part of a data set as finished samples, by key. Picklable, so that any kind of worker process can have it.

    Attributes:
        spare: the label of pixels that pseudo labels may fill; None in the inductive setting.
    """

    dataset: Dataset
    part: str
    table: LabelTable
    augment: Augment
    spare: int | None = None

    def __getitem__(self, key: Key) -> Sample:
        labelled = self.dataset.read(self.part, key.image)
        image, labels = self.augment(_pixels(labelled), self.table(labelled), key)
        height, width = labels.shape
        sample: Sample = {
            "image": image,
            "height": height,
            "width": width,
            "file_name": labelled.file_name,
            "image_id": labelled.image_id,
            "sem_seg": labels,
        }
        return sample if self.spare is None else _with_unlabelled(sample, spare=self.spare, ignore=self.table.ignore)


@dataclass(frozen=True)
class _Scored(TorchDataset[Sample]):
    """The scored part as samples at the protocol's size; `sem_seg` keeps the size of the truth."""

    dataset: Dataset
    part: str
    table: LabelTable
    geometry: EvalTransform
    antialias: bool

    def __getitem__(self, key: Key) -> Sample:
        labelled = self.dataset.read(self.part, key.image)
        truth = self.table(labelled)
        height, width = truth.shape
        image, side = _pixels(labelled), self.geometry.short_side
        size = fitted((height, width), short_side=side, longest=self.geometry.longest) if side else (height, width)
        return {
            "image": resized(image, size, antialias=self.antialias).contiguous(),
            "height": height,
            "width": width,
            "file_name": labelled.file_name,
            "image_id": labelled.image_id,
            "sem_seg": truth,
        }


class TrainLoader:
    """Training batches of a split: seen classes only, augmented, without end.

    Labels are indices into `split.seen`, the names that a method is given before `fit`.

    Args:
        dataset: the one that the split names.
        split: which classes and which part.
        protocol: what is done to the images, and which of them take part.
        batch_size: images a batch.
        seed: of order and augmentation.
        workers: processes that read ahead; 0 reads in this one.

    Raises:
        ValueError: the split does not fit the data set, no image takes part, or a number is out of range.
        KeyError: the data set has no such part.
    """

    def __init__(
        self, dataset: Dataset, split: Split, *, protocol: Protocol, batch_size: int, seed: int, workers: int = 0
    ) -> None:
        check_fits(dataset, split)
        _check_least(1, batch_size=batch_size)
        _check_least(0, workers=workers)
        self._images = taking_part(dataset, split, protocol.train_images)
        self._batch_size, self._workers = batch_size, workers
        self._order = EndlessOrder(len(self._images), seed=seed)
        is_located = protocol.setting == "transductive, unseen located"
        table = LabelTable(dataset.classes, kept=split.seen)
        first = plain_parts(protocol.train, antialias=protocol.antialias, ignore=table.ignore, padding=table.ignore)
        self._first = _Reader(dataset, split.train, table, Augment(seed, "initial", first))
        spare = None if protocol.setting == "inductive" else _WITHHELD if is_located else table.ignore
        if is_located:
            table = LabelTable(dataset.classes, kept=split.seen, marked=dict.fromkeys(split.unseen, _WITHHELD))
        padding = table.ignore if spare is None else _PADDING
        parts = training_parts(protocol.train, antialias=protocol.antialias, ignore=table.ignore, padding=padding)
        self._reader = _Reader(dataset, split.train, table, Augment(seed, "augment", parts), spare)

    def __len__(self) -> int:
        """Images that take part in training."""
        return len(self._images)

    def batches(self, start: int, stop: int, *, slots: slice = slice(None)) -> Iterator[Batch]:
        """The batches of iterations `start` to `stop` - 1, or only some slots of each."""
        if not 0 <= start <= stop:
            raise ValueError(f"batches {start} to {stop}: expected 0 <= start <= stop")
        keys = (self._batch(iteration)[slots] for iteration in range(start, stop))
        yield from _deliver(self._reader, keys, workers=self._workers)

    def initial(self, count: int) -> Iterator[Batch]:
        """The first `count` images of the order, each once, cropped but otherwise as they are.

        A count above the number of images gives all of them. Labels are withheld as in training.
        """
        _check_least(0, count=count)
        count = min(count, len(self))
        spans = [range(first, min(first + self._batch_size, count)) for first in range(0, count, self._batch_size)]
        keys = ([Key(0, position, self._images[self._order.index(position)]) for position in span] for span in spans)
        # read here and not by workers: a caller may keep all of it, and workers' tensors hold open files
        yield from _deliver(self._first, keys, workers=0)

    def sample(self, key: Key) -> Sample:
        """One augmented image of the part by its address; a pure function of it and the seed."""
        return self._reader[key]

    def _batch(self, iteration: int) -> list[Key]:
        keys = self._order.batch(iteration, batch_size=self._batch_size)
        return [key._replace(image=self._images[key.image]) for key in keys]


class EvalLoader:
    """The scored images of a split, in order, each with its truth.

    Truth labels are indices into `split.classes`.

    Args:
        dataset: the one that the split names.
        split: which classes and which part.
        protocol: at which size images are shown.
        max_images: only the first images; 0 for all.
        workers: processes that read ahead; 0 reads in this one.

    Raises:
        ValueError: the split does not fit the data set, or a number is out of range.
        KeyError: the data set has no such part.
    """

    __test__ = False  # not a pytest class, whatever its name begins with

    def __init__(
        self, dataset: Dataset, split: Split, *, protocol: Protocol, max_images: int = 0, workers: int = 0
    ) -> None:
        check_fits(dataset, split)
        _check_least(0, max_images=max_images, workers=workers)
        size = dataset.size(split.evaluate)
        self._size = min(max_images, size) if max_images else size
        self._workers = workers
        table = LabelTable(dataset.classes, kept=split.classes)
        self._reader = _Scored(dataset, split.evaluate, table, protocol.test, protocol.antialias)

    def __len__(self) -> int:
        """Images that are scored."""
        return self._size

    def __iter__(self) -> Iterator[tuple[Sample, Tensor]]:
        """All images; see `images`."""
        return self.images()

    def images(self, *, first: int = 0, step: int = 1) -> Iterator[tuple[Sample, Tensor]]:
        """Samples without `sem_seg`, each with its truth (H, W) long; `ignore_label` of the classes is not scored.

        Args:
            first, step: every `step`-th image from the `first` on, so that several may share them.
        """
        keys = ([Key(0, 0, index)] for index in range(first, self._size, step))
        for (sample,) in _deliver(self._reader, keys, workers=self._workers):
            yield _parted(sample)

    def sample(self, index: int) -> tuple[Sample, Tensor]:
        """One image of the part, as `images` gives it."""
        return _parted(self._reader[Key(0, 0, index)])


def _deliver(reader: _Reader | _Scored, keys: Iterable[list[Key]], *, workers: int) -> Iterator[Batch]:
    loader: DataLoader[Sample] = DataLoader(
        reader,
        batch_sampler=keys,
        num_workers=workers,
        collate_fn=_as_it_is,
        # its own generator: a DataLoader without one draws from torch's global stream whenever it starts
        generator=torch_generator("loader"),
    )
    yield from loader


def _parted(sample: Sample) -> tuple[Sample, Tensor]:
    """A sample without its truth, and the truth."""
    truth = sample.pop("sem_seg")
    return sample, truth.long()


def _as_it_is(batch: Batch) -> Batch:
    return batch


def taking_part(dataset: Dataset, split: Split, images: TrainImages) -> Sequence[int]:
    """Which images of the training part take part, as indices, ascending.

    Raises:
        ValueError: none does.
    """
    size = dataset.size(split.train)
    if images == "all":
        return range(size)
    seen, unseen = ({dataset.classes.index(name) for name in names} for names in (split.seen, split.unseen))
    shown = [dataset.labels_in(split.train, index) for index in range(size)]
    kept = [bool(one & seen) if images == "labelled" else not one & unseen for one in shown]
    if not any(kept):
        raise ValueError(f"no image of part {split.train!r} of {dataset.name!r} is left of {size} (images: {images})")
    return tuple(np.flatnonzero(kept).tolist())


def check_fits(dataset: Dataset, split: Split) -> None:
    """Whether a split can be run on a data set.

    Raises:
        ValueError: a class of the split is not in the data set, or a part is empty or not as large as the split says.
        KeyError: the data set has no such part.
    """
    missing = [name for name in split.classes if name not in dataset.classes]
    if missing:
        reason = unknown_name("class", missing[0], dataset.classes)
        more = f" Also missing: {', '.join(missing[1:])}." if missing[1:] else ""
        raise ValueError(f"split {split.name!r} does not fit data set {dataset.name!r}: {reason}.{more}")
    for part in (split.train, split.evaluate):
        size, expected = dataset.size(part), split.images.get(part)
        if size < 1:
            raise ValueError(f"part {part!r} of data set {dataset.name!r} is empty")
        if expected not in (None, size):
            raise ValueError(
                f"split {split.name!r} wants {expected} images in part {part!r} of {dataset.name!r}, and {size} are "
                f"there: complete them (chimera-bench data check {dataset.name}), or run a split file of your own that "
                f"says images: {{{part}: {size}}}"
            )


def _pixels(labelled: RawSample) -> Tensor:
    """(3, H, W) bytes, a view of the picture."""
    return torch.from_numpy(labelled.image).permute(2, 0, 1)


def _with_unlabelled(sample: Sample, *, spare: int, ignore: int) -> Sample:
    """The sample with its spare pixels marked, and all labels that only the loader knows turned into `ignore`."""
    labels = sample["sem_seg"]
    finished = sample.copy()
    finished["unlabelled"] = labels == spare
    finished["sem_seg"] = labels.masked_fill((labels == _PADDING) | (labels == _WITHHELD), ignore)
    return finished


def _check_least(least: int, **numbers: int) -> None:
    for name, value in numbers.items():
        if value < least:
            raise ValueError(f"{name} is {value}, expected at least {least}")
