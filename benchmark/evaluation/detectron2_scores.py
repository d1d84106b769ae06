"""Results of Detectron2's `SemSegEvaluator` from counts, equal to the last digit.

The operations and their order are those of the evaluator, on the sums it makes: pixels predicted as a class are those
that have a label, as in our counts. The conventions differ for a class without ground truth: see
`benchmark.evaluation.scores`. Boundary IoUs are left out: they need more than counts, and the evaluator erodes the
label map as if it were one mask, which means little for more than two classes.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import Convention
from benchmark.utils.did_you_mean import explain_unknown_name

SEM_SEG_CONVENTIONS: tuple[Convention, ...] = ("d2-main", "d2-0.6")


def compute_sem_seg_results(counts: Counts, convention: Convention) -> OrderedDict[str, dict[str, float]]:
    """Return the value of `SemSegEvaluator.evaluate`: {"sem_seg": scores by name, in percent}.

    Args:
        counts: Counts of the predictions.
        convention: "d2-main" or "d2-0.6".

    Returns:
        mIoU, fwIoU, IoU-<class> of every class, mACC, pACC and ACC-<class>, in this order. A class without ground truth
        and a mean over no class are nan; fwIoU, a sum, is 0 then.

    Raises:
        ValueError: Detectron2 does not score under the convention.
    """
    if convention not in SEM_SEG_CONVENTIONS:
        raise ValueError(explain_unknown_name("convention of Detectron2", convention, SEM_SEG_CONVENTIONS))

    # Pixels per class, (K,) each
    intersection, predicted, target = (pixels.astype(float) for pixels in counts.totals)
    union = target + predicted - intersection
    has_target = target > 0

    # Scores per class, (K,) each, and their means
    with np.errstate(invalid="ignore"):  # without ground truth its means are 0 / 0 as well
        share = target / np.sum(target)
        accuracy, iou = (np.where(has_target, intersection / pixels, np.nan) for pixels in (target, union))
        is_averaged = has_target if convention == "d2-main" else target + predicted > 0
        means = {
            "mIoU": np.sum(iou[has_target]) / np.sum(is_averaged),
            "fwIoU": np.sum(iou[has_target] * share[has_target]),
            "mACC": np.sum(accuracy[has_target]) / np.sum(has_target),
            "pACC": np.sum(intersection) / np.sum(target),
        }

    # Names in the order of the evaluator
    results = {name: means[name] for name in ("mIoU", "fwIoU")}
    results |= {f"IoU-{name}": value for name, value in zip(counts.classes, iou, strict=True)}
    results |= {name: means[name] for name in ("mACC", "pACC")}
    results |= {f"ACC-{name}": value for name, value in zip(counts.classes, accuracy, strict=True)}
    return OrderedDict(sem_seg={name: float(100 * value) for name, value in results.items()})
