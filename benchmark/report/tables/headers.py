"""Names of scores in tables, figures and notes."""

from __future__ import annotations

from benchmark.evaluation.scores import Metric

SCORE_HEADERS: dict[Metric, str] = {
    "miou_seen": "mIoU(S)",
    "miou_unseen": "mIoU(U)",
    "hiou": "hIoU",
    "miou": "mIoU",
    "pixel_accuracy": "Acc",
    "miou_image": "mIoU(I)",
    "miou_class": "mIoU(C)",
    "miou_image_worst_5": "mIoU(I) 5%",
    "miou_image_worst_1": "mIoU(I) 1%",
    "miou_class_worst_5": "mIoU(C) 5%",
    "miou_class_worst_1": "mIoU(C) 1%",
}

SUPERVISION_WORDS = {
    "none": "no training",
    "tags": "image tags",
    "captions": "captions",
    "seen_masks": "masks of seen classes",
    "seen_masks+unseen_names": "masks of seen classes, names of unseen ones",
    "points": "points",
    "images": "images without targets",
    "other_masks": "masks of other datasets",
    "all_masks": "masks of all classes",
    "": "unknown supervision",
}
"""Words for the values of `benchmark.core.protocol_class.Targets`, which tables and files state as they are."""


def describe_supervision(value: str) -> str:
    """Return a kind of supervision in words; a value that is not known, as it is."""
    return SUPERVISION_WORDS.get(value, value)
