"""What Detectron2's `SemSegEvaluator` says of the predictions that were counted, to the last digit.

Its operations in its order, on the sums it makes: pixels predicted as a class are those that have a label, as in our
counts. Its conventions part where a class is without ground truth: see `benchmark.evaluation.scores`. Boundary IoUs
are not here. They need more than counts, and mean little beside more than two classes, as the evaluator erodes the map
of labels as if it were one mask.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import Convention
from benchmark.utils.did_you_mean import unknown_name

SEM_SEG_CONVENTIONS: tuple[Convention, ...] = ("d2-main", "d2-0.6")


def sem_seg_results(counts: Counts, convention: Convention) -> OrderedDict[str, dict[str, float]]:
    """What `SemSegEvaluator.evaluate` returns: {"sem_seg": numbers by name, in percent}.

    Args:
        counts: of the predictions.
        convention: "d2-main" or "d2-0.6".

    Returns:
        mIoU, fwIoU, IoU-<class> of every class, mACC, pACC and ACC-<class>, in this order; nan for a class without
        ground truth and for means over none, but fwIoU, a sum, is 0 then.

    Raises:
        ValueError: Detectron2 does not score under the convention.
    """
    if convention not in SEM_SEG_CONVENTIONS:
        raise ValueError(unknown_name("convention of Detectron2", convention, SEM_SEG_CONVENTIONS))
    right, predicted, true = (pixels.astype(float) for pixels in counts.totals())
    union = true + predicted - right
    is_true = true > 0
    with np.errstate(invalid="ignore"):  # without ground truth its means are 0 / 0 as well
        share = true / np.sum(true)
        accuracy, iou = (np.where(is_true, right / below, np.nan) for below in (true, union))
        averaged = is_true if convention == "d2-main" else true + predicted > 0
        means = {
            "mIoU": np.sum(iou[is_true]) / np.sum(averaged),
            "fwIoU": np.sum(iou[is_true] * share[is_true]),
            "mACC": np.sum(accuracy[is_true]) / np.sum(is_true),
            "pACC": np.sum(right) / np.sum(true),
        }
    results = {name: means[name] for name in ("mIoU", "fwIoU")}
    results |= {f"IoU-{name}": value for name, value in zip(counts.classes, iou, strict=True)}
    results |= {name: means[name] for name in ("mACC", "pACC")}
    results |= {f"ACC-{name}": value for name, value in zip(counts.classes, accuracy, strict=True)}
    return OrderedDict(sem_seg={name: float(100 * value) for name, value in results.items()})
