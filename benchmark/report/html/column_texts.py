"""What the columns of the table mean, one or two sentences each."""

from __future__ import annotations

from benchmark.evaluation.scores import METRICS
from benchmark.report.tables.uncertainty import METRIC_TEXTS

COLUMN_TEXTS: dict[str, str] = {
    "label": "Label of the row in its study. Letters refer to the notes below the table.",
    "group": "Split or setting. Rows of different ones are not comparable.",
    "supervision": "What the method learned from. Kinds of supervision are not ranked against each other.",
    "miou_seen": "Mean IoU over the classes that have masks in training, in percent, with its interval.",
    "miou_unseen": "Mean IoU over the classes without masks in training, in percent, with its interval.",
    "hiou": "Harmonic mean of mIoU(S) and mIoU(U), in percent, with its interval.",
    "runs_done": "Number of finished runs: splits x seeds, or done/planned if runs are missing.",
    "hiou_difference": "Difference of hIoU from the baseline in points, with the interval of the difference.",
    "p_adjusted": "Two-sided p of no difference from the baseline, corrected for all comparisons of the table (Holm).",
    "least_p": "Smallest p that an exact test with so few seeds or splits could give, before the correction.",
    "hiou_difference_same_sign": "Splits on which the difference has the sign of its mean, of all compared splits.",
    "hiou_difference_split_sd": "Standard deviation of the true differences between splits, without noise, in points.",
    "hiou_difference_split_share": "Part of the variance of a difference that the choice of unseen classes explains.",
    "hiou_rank": "Rank by hIoU within its protocol class, with the ranks that the variation allows.",
    "trainable_parameters": "Trained parameters / all parameters at test, in millions.",
    "inference_flops": "Operations of a prediction for one image, in billions (2 per multiply-add).",
    "training_flops": "Operations of a training step per image, in billions.",
    "train_seconds": "Wall time of training, median over the runs.",
    "latency_ms": "Wall time of the prediction of an image, median over the runs.",
    "peak_memory_mb": "Largest resident memory of the process, in MB.",
    "backbone": "Pretrained backbone of the method.",
    "extra_models": "Other models that the method uses.",
    **{metric: METRIC_TEXTS[metric] + "." for metric in METRICS if metric in METRIC_TEXTS},
}
"""Explanations by key of the column."""
