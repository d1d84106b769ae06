"""Self-training for the transductive setting: the names of unseen classes are known, their pixels get pseudo labels.

The procedure is that of the ZegCLIP family (ZegCLIP, arXiv 2212.03588, section 3.4; MaskCLIP+, arXiv 2112.01071). The
first half of training is inductive. In the second half the method knows all names and assigns its most probable unseen
class to every pixel without a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from benchmark.core.lazy_scores import compute_label_map
from benchmark.core.method import Method
from benchmark.core.method_outputs import check_predictions
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction, Sample, get_ignore_label

INDUCTIVE_SHARE = 0.5
"""Share of training that is inductive."""


class SelfTraining(Method):
    """Method that trains another method with the pseudo labels of that method.

    Args:
        method: Method to train.
        split: Split that names the classes; labels of training samples index its seen classes.
    """

    def __init__(self, method: Method, split: Split) -> None:
        super().__init__()
        self.method, self._seen, self._all = method, split.seen, split.classes
        self._names: Sequence[str] = ()
        self.register_buffer("_label_of_seen", _find_class_indices(split), persistent=False)
        self._unseen = frozenset(split.classes.index(name) for name in split.unseen)

    _label_of_seen: Tensor

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the classes to score; `losses` replaces the seen classes by all classes when self-training begins."""
        self.method.set_classes(names)
        self._names = tuple(names)

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Initialize the inner method."""
        self.method.step_context = self.step_context
        self.method.initialize(batches)

    def losses(self, batch: Batch) -> Losses:
        """Return the losses of the inner method: on seen labels first, later on all labels and pseudo labels.

        Args:
            batch: Samples with image (3, H, W), sem_seg (H, W) and a boolean mask (H, W) of the pixels without a label.

        Returns:
            Scalar tensors by name.
        """
        self.method.step_context = self.step_context
        if self.step_context.progress < INDUCTIVE_SHARE:
            return self.method.losses(batch)
        if self._names == self._seen:
            self.set_classes(self._all)
        return self.method.losses([self._add_pseudo_labels(sample) for sample in batch])

    def predict(self, batch: Batch) -> list[Prediction]:
        """Return the predictions of the inner method: sem_seg (K, height, width) for each sample."""
        self.method.step_context = self.step_context
        return self.method.predict(batch)

    def _add_pseudo_labels(self, sample: Sample) -> Sample:
        """Return a copy of a sample whose labels (H, W) index all classes, with pseudo labels at unlabeled pixels."""
        # translate labels from indices of seen classes to indices of all classes: (H, W)
        labels = sample["sem_seg"]
        old_ignore, new_ignore = get_ignore_label(len(self._seen)), get_ignore_label(len(self._all))
        is_ignored = labels == old_ignore
        known = self._label_of_seen[labels.masked_fill(is_ignored, 0)].masked_fill(is_ignored, new_ignore)
        # fill unlabeled pixels; other ignored pixels, such as padding, stay ignored: (H, W)
        filled = sample.copy()
        filled["sem_seg"] = torch.where(sample["unlabeled"], self._predict_unseen(sample), known)
        return filled

    @torch.no_grad()
    def _predict_unseen(self, sample: Sample) -> Tensor:
        """Return the most probable unseen class (H, W) of every pixel, predicted in evaluation mode.

        The method predicts the image without its padding, in which the result is arbitrary.
        """
        request = sample.copy()
        height, width = request.pop("valid_size", sample["image"].shape[1:])
        request["image"], request["height"], request["width"] = sample["image"][:, :height, :width], height, width
        self.method.eval()
        pseudo_labels = torch.zeros_like(sample["sem_seg"])
        (prediction,) = check_predictions(self.method.predict([request]), [request], self.method)
        pseudo_labels[:height, :width] = compute_label_map(prediction, among=self._unseen)
        self.method.train()
        return pseudo_labels


def _find_class_indices(split: Split) -> Tensor:
    """Return the index (S,) of each seen class among all classes."""
    return torch.tensor([split.classes.index(name) for name in split.seen], dtype=torch.long)
