"""Detectron2's own `SemSegEvaluator` as a computation of counts whose time can be measured."""

from __future__ import annotations

import logging
from uuid import uuid4

from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import SemSegEvaluator
from torch import Tensor

from benchmark.core.lazy_scores import LowResPrediction
from benchmark.core.types import get_ignore_label
from benchmark.profiling.label_maps import Compute, Labels


def make_evaluation(classes: int) -> Compute:
    """Return a function that evaluates a prediction, as Detectron2's evaluation loop does, without reading a file.

    It counts pixels, encodes the mask of every predicted class, and erodes label maps of up to 254 classes if OpenCV is
    installed.

    Args:
        classes: Number of classes.
    """

    def evaluate(prediction: LowResPrediction, target: Tensor) -> Labels:
        evaluator.reset()
        evaluator.sem_seg_loading_fn = lambda _, dtype: target.numpy().astype(dtype)
        evaluator.process([{"file_name": "image"}], [{"sem_seg": prediction["sem_seg"]}])
        counts: Labels = evaluator._conf_matrix[:-1, :-1].T
        return counts

    name, record = f"speed_{uuid4().hex}", {"file_name": "image", "sem_seg_file_name": "mask"}
    DatasetCatalog.register(name, lambda: [record])
    MetadataCatalog.get(name).set(
        stuff_classes=[str(k) for k in range(classes)], ignore_label=get_ignore_label(classes)
    )
    logging.getLogger("detectron2.evaluation.sem_seg_evaluation").setLevel(logging.ERROR)
    evaluator = SemSegEvaluator(name, distributed=False)
    DatasetCatalog.remove(name)
    MetadataCatalog.remove(name)
    return evaluate
