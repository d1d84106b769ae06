"""Loaders for training and evaluation: batches of a split with final labels.

Labels are final here. Training labels are indices into the split's seen classes and the ignore label everywhere else,
so that no later code can look at an unseen pixel; evaluation labels are indices into all classes of the split. Classes
are matched by name. Batch i is a pure function of (seed, i): the number of workers, an interruption or a restart
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from benchmark.core.method import Supervision
from benchmark.core.protocol import EvalTransform, Protocol
from benchmark.core.split import Split
from benchmark.core.types import Batch, Sample
from benchmark.data.base import CaptionSource, Dataset, PointSource, RawSample
from benchmark.data.batches import load_batches
from benchmark.data.label_maps import LabelMap
from benchmark.data.pixel_frame import WHOLE_IMAGE
from benchmark.data.placed_points import add_points
from benchmark.data.read_ahead import read_ahead
from benchmark.data.resize import fit_size, resize_image
from benchmark.data.samplers import EndlessOrder, SampleKey
from benchmark.data.split_checks import check_fits, require_captions, require_points
from benchmark.data.tags import add_tags
from benchmark.data.train_images import select_train_images
from benchmark.data.transforms import Augmentation, make_train_transforms

_PADDING_LABEL, _UNSEEN_LABEL = -2, -3
"""Labels of padding and of unseen classes while a transductive sample is built; they do not leave this module."""


@dataclass(frozen=True)
class _TrainSamples(TorchDataset[Sample]):
    """Training samples of a subset by key; picklable, so that worker processes of any kind can have it.

    Attributes:
        dataset: Dataset to read from.
        subset: Name of the subset.
        label_map: Map from labels of the dataset to labels of the split.
        augmentation: Transforms of images and labels.
        pseudo_label_area: Label of the pixels that pseudo labels may fill; None in the inductive setting.
        captions: Source of captions; None for samples without captions.
        points: Source of points; None for samples without points.
    """

    dataset: Dataset
    subset: str
    label_map: LabelMap
    augmentation: Augmentation
    pseudo_label_area: int | None = None
    captions: CaptionSource | None = None
    points: PointSource | None = None

    def __getitem__(self, key: SampleKey) -> Sample:
        raw = self.dataset.read(self.subset, key.image)
        view = self.augmentation(_to_tensor(raw), self.label_map(raw), key)
        height, width = view.labels.shape
        sample: Sample = {
            "image": view.image,
            "height": height,
            "width": width,
            "file_name": raw.file_name,
            "image_id": raw.image_id,
            "sem_seg": view.labels,
            "valid_size": view.size,
        }
        if self.captions is not None:
            sample["captions"] = self.captions.read_captions(self.subset, key.image)
        if self.points is not None:
            points = self.points.read_points(self.subset, key.image)
            labels = self.label_map.map_labels(points.labels, f"{raw.file_name}: points have")
            labels = labels.masked_fill(labels < 0, self.label_map.ignore)  # unseen classes that a protocol locates
            sample = add_points(sample, points, frame=view.frame, size=view.size, labels=labels)
        if self.pseudo_label_area is None:
            return sample
        return _mark_unlabeled(sample, self.pseudo_label_area, ignore=self.label_map.ignore)

    def describe(self, key: SampleKey) -> str:
        """Return the file name of an image."""
        return self.dataset.get_image_ref(self.subset, key.image).file_name


@dataclass(frozen=True)
class _EvalSamples(TorchDataset[Sample]):
    """Samples of the evaluation subset by key: images at the protocol's size, `sem_seg` at the original size."""

    dataset: Dataset
    subset: str
    label_map: LabelMap
    transform: EvalTransform
    antialias: bool
    points: PointSource | None = None

    def __getitem__(self, key: SampleKey) -> Sample:
        raw = self.dataset.read(self.subset, key.image)
        target = self.label_map(raw)
        height, width = target.shape
        image, side = _to_tensor(raw), self.transform.short_side
        size = fit_size((height, width), short_side=side, longest=self.transform.longest) if side else (height, width)
        sample: Sample = {
            "image": resize_image(image, size, antialias=self.antialias).contiguous(),
            "height": height,
            "width": width,
            "file_name": raw.file_name,
            "image_id": raw.image_id,
            "sem_seg": target,
        }
        if self.points is None:
            return sample
        points, frame = self.points.read_points(self.subset, key.image), WHOLE_IMAGE.resize((height, width), size)
        return add_points(sample, points, frame=frame, size=size)

    def describe(self, key: SampleKey) -> str:
        """Return the file name of an image."""
        return self.dataset.get_image_ref(self.subset, key.image).file_name


class TrainLoader:
    """Endless training batches of a split: augmented, with labels of seen classes only.

    Labels are indices into `split.seen`, the class names that a method receives before `fit`.

    Args:
        dataset: Dataset that the split names.
        split: Classes, and the subset to train on.
        protocol: Transforms of the images, and selection of the training images.
        batch_size: Images per batch.
        seed: Seed of order and augmentation.
        workers: Number of worker processes; 0 reads in this process.
        supervision: Supervision of the method; samples have captions or points if it includes them.

    Raises:
        ValueError: The split does not fit the dataset, the dataset has no captions or points, no image is selected, or
            a number is out of range.
        KeyError: The dataset does not have the subset.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        *,
        protocol: Protocol,
        batch_size: int,
        seed: int,
        workers: int = 0,
        supervision: Supervision = Supervision.NONE,
    ) -> None:
        check_fits(dataset, split)
        _check_at_least(1, batch_size=batch_size)
        _check_at_least(0, workers=workers)
        self._images = select_train_images(dataset, split, protocol.train_images)
        self._batch_size, self._workers = batch_size, workers
        self._order = EndlessOrder(len(self._images), seed=seed)
        samples = _make_train_samples(dataset, split, protocol, seed=seed)
        self._samples = replace(
            samples,
            captions=require_captions(dataset) if supervision.includes_captions else None,
            points=require_points(dataset) if supervision.includes_points else None,
        )
        self._init_samples = replace(self._samples, augmentation=replace(samples.augmentation, purpose="initial"))

    def __len__(self) -> int:
        """Return the number of training images."""
        return len(self._images)

    def batches(self, start: int, stop: int, *, slots: slice = slice(None)) -> Iterator[Batch]:
        """Yield the batches of iterations `start` to `stop` - 1.

        Args:
            start: First iteration.
            stop: End of the iterations, exclusive.
            slots: Positions in the batch; other samples of the batch are not read.
        """
        if not 0 <= start <= stop:
            raise ValueError(f"expected 0 <= start <= stop, got batches {start} to {stop}")
        keys = (self._make_batch_keys(iteration)[slots] for iteration in range(start, stop))
        yield from load_batches(self._samples, keys, workers=self._workers, describe=self._samples.describe)

    def init_batches(self, count: int, *, micro_batches: int = 1) -> Iterator[Batch]:
        """Yield the first images of the training order, each once, augmented as in training but with other draws.

        Labels of unseen classes are withheld as in training.

        Args:
            count: Number of images; all if there are fewer.
            micro_batches: Number of equal parts of a training batch. A batch of this method is as large as one part, or
                smaller by less than half if the images do not fill all batches.
        """
        _check_at_least(0, count=count)
        count, size = min(count, len(self)), self._batch_size // micro_batches
        positions = np.array_split(np.arange(count), -(-count // size)) if count else []
        keys = (
            [SampleKey(0, position, self._images[self._order.index(position)]) for position in part.tolist()]
            for part in positions
        )
        yield from load_batches(self._init_samples, keys, workers=0, describe=self._init_samples.describe)

    def sample(self, key: SampleKey) -> Sample:
        """Return one augmented sample, which is a pure function of the key and the seed."""
        return self._samples[key]

    def _make_batch_keys(self, iteration: int) -> list[SampleKey]:
        keys = self._order.batch(iteration, batch_size=self._batch_size)
        return [key._replace(image=self._images[key.image]) for key in keys]


class EvalLoader:
    """The evaluation images of a split, in order, each with its target.

    Targets are indices into `split.classes`.

    Args:
        dataset: Dataset that the split names.
        split: Classes, and the subset to evaluate on.
        protocol: Size of the images.
        max_images: Number of images; the first of the subset. 0 for all.
        workers: Number of worker processes; 0 reads in this process.
        supervision: Supervision of the method; samples have tags or points if it includes them.

    Raises:
        ValueError: The split does not fit the dataset, the dataset has no points, or a number is out of range.
        KeyError: The dataset does not have the subset.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        *,
        protocol: Protocol,
        max_images: int = 0,
        workers: int = 0,
        supervision: Supervision = Supervision.NONE,
    ) -> None:
        check_fits(dataset, split)
        _check_at_least(0, max_images=max_images, workers=workers)
        self._tagged_classes = split.classes if supervision.includes_tags else None
        size = dataset.size(split.evaluate)
        self._size = min(max_images, size) if max_images else size
        self._workers = workers
        label_map = LabelMap(dataset.classes, kept=split.classes)
        points = require_points(dataset) if supervision.includes_points else None
        self._samples = _EvalSamples(dataset, split.evaluate, label_map, protocol.test, protocol.antialias, points)

    def __len__(self) -> int:
        """Return the number of evaluation images."""
        return self._size

    def __iter__(self) -> Iterator[tuple[Sample, Tensor]]:
        """Yield all images with their targets; see `images`."""
        return self.images()

    def images(self, *, first: int = 0, step: int = 1) -> Iterator[tuple[Sample, Tensor]]:
        """Yield samples without `sem_seg`, each with its target.

        A target is (H, W) long; pixels that are not scored hold `get_ignore_label(len(classes))`.

        Args:
            first: Index of the first image.
            step: Distance between images, so that several processes can share them.
        """
        keys = ([SampleKey(0, 0, index)] for index in range(first, self._size, step))
        samples, describe = self._samples, self._samples.describe
        batches = (
            load_batches(samples, keys, workers=self._workers, describe=describe)
            if self._workers
            else read_ahead(samples, keys, describe=describe)
        )
        for (sample,) in batches:
            yield self._finish(sample)

    def sample(self, index: int) -> tuple[Sample, Tensor]:
        """Return one image of the subset and its target (H, W), as `images` yields them."""
        return self._finish(self._samples[SampleKey(0, 0, index)])

    def read_point_target(self, index: int) -> Tensor:
        """Return the labels (N,) long of the points of one image, as those of a target; `sample` gives the points."""
        points = require_points(self._samples.dataset).read_points(self._samples.subset, index)
        return self._samples.label_map.map_labels(points.labels, "points have").long()

    def _finish(self, sample: Sample) -> tuple[Sample, Tensor]:
        """Return a sample without its target, with its tags if there are any, and the target: (H, W) long."""
        target = sample.pop("sem_seg").long()
        return (sample if self._tagged_classes is None else add_tags(sample, target, self._tagged_classes)), target


def _make_train_samples(dataset: Dataset, split: Split, protocol: Protocol, *, seed: int) -> _TrainSamples:
    is_inductive = protocol.setting == "inductive"
    is_located = protocol.setting == "transductive, unseen located"
    marked = dict.fromkeys(split.unseen, _UNSEEN_LABEL) if is_located else {}
    label_map = LabelMap(dataset.classes, kept=split.seen, marked=marked)
    ignore = label_map.ignore
    padding = ignore if is_inductive else _PADDING_LABEL
    area = None if is_inductive else _UNSEEN_LABEL if is_located else ignore
    transforms = make_train_transforms(protocol.train, antialias=protocol.antialias, ignore=ignore, padding=padding)
    return _TrainSamples(dataset, split.train, label_map, Augmentation(seed, "augment", transforms), area)


def _to_tensor(raw: RawSample) -> Tensor:
    """Return the image as (3, H, W) bytes that share its memory."""
    return torch.from_numpy(raw.image).permute(2, 0, 1)


def _mark_unlabeled(sample: Sample, pseudo_label_area: int, *, ignore: int) -> Sample:
    """Mark the pixels that pseudo labels may fill, and replace the labels that are private to this module."""
    labels = sample["sem_seg"]
    marked = sample.copy()
    marked["unlabeled"] = labels == pseudo_label_area
    marked["sem_seg"] = labels.masked_fill((labels == _PADDING_LABEL) | (labels == _UNSEEN_LABEL), ignore)
    return marked


def _check_at_least(least: int, **numbers: int) -> None:
    for name, value in numbers.items():
        if value < least:
            raise ValueError(f"{name} is {value}, expected at least {least}")
