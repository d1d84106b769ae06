"""The transductive setting: names of unseen classes are known in training, and pixels without a label get one.

As the ZegCLIP family does it (ZegCLIP, arXiv 2212.03588, section 3.4; MaskCLIP+, arXiv 2112.01071): the first half of
training is inductive; then the method, with all names, labels spare pixels itself with the likeliest unseen class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from benchmark.core.lazy_scores import label_map
from benchmark.core.method import Method
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction, Sample, ignore_label

BEGIN = 0.5
"""The share of training that is inductive."""


class SelfTraining(Method):
    """Trains another method with pseudo labels of its own.

    Args:
        method: what is trained.
        split: its classes; labels of samples index its seen ones.
    """

    def __init__(self, method: Method, split: Split) -> None:
        super().__init__()
        self.method, self._seen, self._all = method, split.seen, split.classes
        self._names: Sequence[str] = ()
        self.register_buffer("_label_of_seen", _indices(split), persistent=False)
        self._unseen = frozenset(split.classes.index(name) for name in split.unseen)

    _label_of_seen: Tensor

    def set_classes(self, names: Sequence[str]) -> None:
        """Score these classes from now on; in training, all names take the place of the seen ones when it is time."""
        self.method.set_classes(names)
        self._names = tuple(names)

    def initialize(self, batches: Iterable[Batch]) -> None:
        """The inner method's."""
        self.method.step_context = self.step_context
        self.method.initialize(batches)

    def losses(self, batch: Batch) -> Losses:
        """The inner method's: on seen labels at first, later on all labels and pseudo labels."""
        self.method.step_context = self.step_context
        if self.step_context.progress < BEGIN:
            return self.method.losses(batch)
        if self._names == self._seen:
            self.set_classes(self._all)
        return self.method.losses([self._filled(sample) for sample in batch])

    def predict(self, batch: Batch) -> list[Prediction]:
        """The inner method's."""
        self.method.step_context = self.step_context
        return self.method.predict(batch)

    def _filled(self, sample: Sample) -> Sample:
        """The sample with labels among all classes, and pseudo labels in its spare pixels."""
        labels, old, new = sample["sem_seg"], ignore_label(len(self._seen)), ignore_label(len(self._all))
        is_labelled = labels != old
        known = self._label_of_seen[labels.masked_fill(~is_labelled, 0)].masked_fill(~is_labelled, new)
        filled = sample.copy()
        filled["sem_seg"] = torch.where(sample["unlabelled"], self._guess(sample), known)
        return filled

    @torch.no_grad()
    def _guess(self, sample: Sample) -> Tensor:
        """(H, W) the likeliest unseen class of every pixel, as the method sees it in evaluation mode."""
        height, width = sample["image"].shape[1:]
        asked = sample.copy()
        asked["height"], asked["width"] = height, width
        self.method.eval()
        guess = label_map(self.method.predict([asked])[0], among=self._unseen)
        self.method.train()
        return guess


def _indices(split: Split) -> Tensor:
    """Which of all classes each seen class is."""
    return torch.tensor([split.classes.index(name) for name in split.seen], dtype=torch.long)
