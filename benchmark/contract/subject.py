"""A method under test, in the states in which the harness calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmark.contract.copies import CopySource
from benchmark.contract.hidden_facts import TrainingData, make_training_data
from benchmark.contract.point_samples import add_random_points
from benchmark.contract.samples import make_caption, make_prediction_batch, make_training_batch
from benchmark.contract.split_files import OpenedFile, watch_split_files
from benchmark.contract.training import Learned, train_briefly
from benchmark.core.method import Method, StepContext, Supervision
from benchmark.core.protocol import Protocol
from benchmark.core.split import Split
from benchmark.core.types import Batch, Prediction, Sample
from benchmark.planning.method_setup import MethodSetup


class _Built(NamedTuple):
    """Source of copies of a method that was built, None if it cannot be copied, and the split files that it opened."""

    source: CopySource[Method] | None
    opened: tuple[OpenedFile, ...]


@dataclass(frozen=True, eq=False)
class Subject:
    """A variant of a method under test.

    Attributes:
        setup: Settings of the method.
        files: Absolute paths of the method's own files.
        opened: Split files that the method opened while it was imported.
    """

    setup: MethodSetup
    files: frozenset[Path]
    opened: tuple[OpenedFile, ...] = ()

    @property
    def split(self) -> Split:
        """Split that the method is built for."""
        return self.setup.split

    def build(self, split: Split | None = None, *, seed: int = 0) -> Method:
        """Return the method itself, without the wrappers of a protocol, before its vocabulary is set.

        Args:
            split: Split to build for; by default that of the setup.
            seed: Seed of the initial weights.
        """
        return replace(self.setup, split=split or self.split, protocol=Protocol()).build(seed)

    def as_built(self) -> Method:
        """Return a copy of the method before its vocabulary is set; one that cannot be copied is built again."""
        return self._built.source.copy() if self._built.source else self.build()

    def before_training(self) -> Method:
        """Return a copy of the method before it is initialized: built, seen vocabulary."""
        method = self.as_built()
        method.set_classes(self.split.seen)
        return method

    def in_training(self) -> Method:
        """Return a copy of the method in the middle of its training: seen vocabulary, training mode."""
        return _begin_training(self._copy())

    def as_resumed(self) -> Method:
        """Return the method as a resumed run begins: built, seen vocabulary, not initialized, nothing loaded yet."""
        return _begin_training(self.before_training())

    def in_evaluation(self) -> Method:
        """Return a copy of the method as it is evaluated: whole vocabulary, evaluation mode."""
        method = self._copy()
        method.set_classes(self.split.classes)
        return method.eval()

    def make_training_batch(self, *, name: str = "training batch") -> Batch:
        """Return a labeled batch, see `benchmark.contract.samples`."""
        batch = make_training_batch(len(self.split.seen), name=name)
        if self._supervision.includes_captions:
            return [self._add_caption(sample) for sample in batch]
        return [add_random_points(sample) for sample in batch] if self._supervision.includes_points else batch

    def make_prediction_batch(self, *, name: str = "requests") -> Batch:
        """Return a batch without targets, see `benchmark.contract.samples`, with tags or points as the supervision."""
        batch = self.add_tags(make_prediction_batch(name=name))
        return [add_random_points(sample) for sample in batch] if self._supervision.includes_points else batch

    def add_tags(self, batch: Batch) -> Batch:
        """Return samples as the method gets them in evaluation: with tags if they are the supervision."""
        if not self._supervision.includes_tags:
            return batch
        classes, step = self.split.classes, len(batch)
        return [{**sample, "tags": classes[index::step]} for index, sample in enumerate(batch)]

    def learn(self, data: TrainingData) -> Learned:
        """Build the method for the split of tiny data and train it on them, see `train_briefly`."""
        return self._train_briefly(self.build, data)

    @cached_property
    def learned(self) -> Learned:
        """Result of a brief training on unchanged tiny data."""
        return self._train_briefly(lambda _split: self.as_built(), make_training_data(self.split))

    @cached_property
    def predictions(self) -> list[Prediction]:
        """What `predict` returns for `make_prediction_batch`, by a copy that has done nothing else; not checked yet."""
        with torch.no_grad():
            return self.in_evaluation().predict(self.make_prediction_batch())

    @property
    def scores(self) -> list[Tensor]:
        """Scores in `predictions`, (K, height, width) each."""
        return [prediction["sem_seg"].detach() for prediction in self.predictions]

    def list_moments(self) -> list[StepContext]:
        """Return the positions of the first, a middle and the last iteration of the budget, each once."""
        iterations = max(1, self.setup.budget.iterations)
        return [StepContext(0, index, iterations) for index in sorted({0, iterations // 2, iterations - 1})]

    def _train_briefly(self, build: Callable[[Split], Method], data: TrainingData) -> Learned:
        return train_briefly(build, data, budget=self.setup.budget, supervision=self._supervision)

    @property
    def _supervision(self) -> Supervision:
        return self.setup.recipe.traits.supervision

    def _add_caption(self, sample: Sample) -> Sample:
        """Return a sample with a caption that names the first classes of its labels."""
        labels, seen = dict.fromkeys(sample["sem_seg"].flatten().tolist()), self.split.seen
        caption = make_caption([seen[label] for label in labels if label < len(seen)])
        return {**sample, "captions": (caption,)}

    def _initialize(self, method: Method) -> Method:
        if self.setup.budget.init_images:
            with torch.no_grad():
                method.train().initialize([self.make_training_batch()])
        return method

    @property
    def opened_in_build(self) -> tuple[OpenedFile, ...]:
        """Split files that the method opened while it was built."""
        return self._built.opened

    @cached_property
    def _built(self) -> _Built:
        with watch_split_files(self.files, self.split.name) as opened:
            method = self.build()
        return _Built(_try_to_copy(method), tuple(opened))

    @cached_property
    def _initialized(self) -> CopySource[Method] | None:
        """Source of copies of the initialized method; None if it cannot be copied."""
        return _try_to_copy(self._initialize(self.before_training()))

    def _copy(self) -> Method:
        """Return a copy of the initialized method; one that cannot be copied is built again."""
        return self._initialized.copy() if self._initialized else self._initialize(self.before_training())


def _try_to_copy(method: Method) -> CopySource[Method] | None:
    try:
        return CopySource(method)
    except Exception:  # an attribute such as a lock or a generator
        return None


def _begin_training(method: Method) -> Method:
    method.step_context = StepContext(seed=0, iteration=3, iterations=10)
    return method.train()
