"""Target masks of a batch: one for each class that is present in an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.blocks.mask_matching.config import Unlabeled


@dataclass(frozen=True, eq=False)
class MaskTargets:
    """Target masks of B images, filled up to the same number M; what is filled up has no influence.

    Attributes:
        classes: (B, M) long, column of the class logits that each mask belongs to.
        masks: (B, M, H, W) bool.
        counts: Number of masks of each image; the first ones are targets, the others fill up.
        valid: (B, H, W) bool, pixels that count in matching and losses; None for all.
    """

    classes: Tensor
    masks: Tensor
    counts: tuple[int, ...]
    valid: Tensor | None = None

    @property
    def total(self) -> int:
        """Number of masks of all images."""
        return sum(self.counts)

    def restrict(self, valid: Tensor | None) -> MaskTargets:
        """Return targets of which fewer pixels count.

        Args:
            valid: (B, H, W) bool, pixels that count if they did before; None for all of those.
        """
        if valid is None:
            return self
        return replace(self, valid=valid if self.valid is None else valid & self.valid)


def make_mask_targets(labels: Tensor, *, num_classes: int, unlabeled: Unlabeled = "negative") -> MaskTargets:
    """Make a target of each class that is present in an image; unlabeled pixels are in no mask.

    Args:
        labels: (B, H, W) long; values outside 0..num_classes-1 are unlabeled.
        num_classes: Number K of classes that may be targets.
        unlabeled: Whether unlabeled pixels count, see `MaskMatchingConfig`.

    Returns:
        Targets in the order of the classes.
    """
    present = [[label for label in image.unique().tolist() if 0 <= label < num_classes] for image in labels]
    counts = tuple(len(classes) for classes in present)
    rows = [classes + [0] * (max(counts, default=0) - len(classes)) for classes in present]
    classes = torch.tensor(rows, dtype=torch.long, device=labels.device).view(len(labels), max(counts, default=0))
    valid = (labels >= 0) & (labels < num_classes) if unlabeled == "ignored" else None
    return MaskTargets(classes, labels[:, None] == classes[..., None, None], counts, valid)


def stack_mask_targets(
    classes: Sequence[Tensor], masks: Sequence[Tensor], *, size: Sequence[int], valid: Tensor | None = None
) -> MaskTargets:
    """Stack the masks of B images, each with any number of them.

    Args:
        classes: B times (M_b,) long.
        masks: B times (M_b, H, W) bool.
        size: Height H and width W, also if there is no mask.
        valid: (B, H, W) bool, pixels that count; None for all.

    Returns:
        Targets in the given order.
    """
    counts = tuple(len(image) for image in masks)
    most = max(counts, default=0)
    device = masks[0].device if masks else torch.device("cpu")
    all_classes = torch.zeros(len(masks), most, dtype=torch.long, device=device)
    all_masks = torch.zeros(len(masks), most, *size, dtype=torch.bool, device=device)
    for index, count in enumerate(counts):
        all_classes[index, :count], all_masks[index, :count] = classes[index], masks[index]
    return MaskTargets(all_classes, all_masks, counts, valid)
