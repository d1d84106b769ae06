"""Evaluator for Detectron2's evaluation loop that counts pixels as the benchmark does."""

from __future__ import annotations

import logging
import tempfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import DatasetEvaluator, SemSegEvaluator
from detectron2.utils import comm
from detectron2.utils.file_io import PathManager
from PIL import Image
from torch import Tensor

from benchmark.core.types import Prediction
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts, merge
from benchmark.evaluation.detectron2_scores import SEM_SEG_CONVENTIONS, compute_sem_seg_results
from benchmark.evaluation.scores import Convention, score
from benchmark.utils.did_you_mean import explain_unknown_name

COUNTS_FILE = "counts.npz"

_log = logging.getLogger(__name__)


class CountsEvaluator(DatasetEvaluator):  # type: ignore[misc]
    """Evaluator that counts pixels as the benchmark's runs do, for any dataset with masks in Detectron2's catalogs.

    Args:
        name: Name of the dataset. Its metadata need stuff_classes and ignore_label; all classes are seen unless the
            metadata have `seen`, a flag per class.
        gamma: Offset subtracted from the softmax of every seen class before the decision; 0 is the plain argmax, runs
            of the benchmark use the gamma of their protocol.
        convention: Convention of the scores, "d2-main" or "d2-0.6".
        task: Key of the results; must differ from "sem_seg" if used together with a `SemSegEvaluator`.
        output_dir: Folder for counts.npz, which `benchmark.evaluation.counts.load` reads; empty for none.
        distributed: Whether the first process merges the counts of all processes.

    Attributes:
        counts: Counts after `evaluate`, in the first process; None before.

    Raises:
        ValueError: The convention is not one of Detectron2's, or gamma is not on the grid.
    """

    def __init__(
        self,
        name: str,
        *,
        gamma: float = 0.0,
        convention: Convention = "d2-main",
        task: str = "sem_seg",
        output_dir: str = "",
        distributed: bool = True,
    ) -> None:
        if convention not in SEM_SEG_CONVENTIONS:
            raise ValueError(explain_unknown_name("convention of Detectron2", convention, SEM_SEG_CONVENTIONS))
        metadata = MetadataCatalog.get(name)
        self._classes: Sequence[str] = metadata.stuff_classes
        self._seen: Sequence[bool] = metadata.get("seen", [True] * len(self._classes))
        self._ignore: int = metadata.ignore_label
        self._gamma, self._convention, self._task = gamma, convention, task
        self._folder, self._is_distributed = output_dir, distributed
        self._mask_files = {record["file_name"]: record["sem_seg_file_name"] for record in DatasetCatalog.get(name)}
        self.counts: Counts | None = None
        self.reset()

    def reset(self) -> None:
        """Discard all counts."""
        self._counter = Counter(self._classes, self._seen, gamma=self._gamma, ignore=self._ignore)
        self.counts = None

    def process(self, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Prediction]) -> None:
        """Count images.

        Args:
            inputs: Dicts with file_name as in the catalog and optionally image_id; the default is the file name.
            outputs: Predictions with sem_seg (K, H, W), where (H, W) is the shape of the mask.

        Raises:
            ValueError: The scores do not fit the mask or are not finite, the mask has labels that are not classes, or
                an image was counted before.
        """
        for record, output in zip(inputs, outputs, strict=True):
            file_name = record["file_name"]
            target = _read_mask(self._mask_files[file_name])
            self._counter.update(output, target, image_id=str(record.get("image_id", file_name)))

    def evaluate(self) -> OrderedDict[str, dict[str, float]] | None:
        """Compute scores in percent: those of `SemSegEvaluator` by its names, and mIoU_seen, mIoU_unseen and hIoU.

        Returns:
            Scores by name, below the key `task`; None in processes other than the first.
        """
        shards = comm.gather(self._counter.compute()) if self._is_distributed else [self._counter.compute()]
        if not shards:
            return None
        self.counts = merge(shards)
        if self._folder:
            PathManager.mkdirs(self._folder)
            self.counts.save(Path(self._folder) / COUNTS_FILE)
        scores = score(self.counts, self._convention)
        (results,) = compute_sem_seg_results(self.counts, self._convention).values()
        results |= {"mIoU_seen": scores.miou_seen, "mIoU_unseen": scores.miou_unseen, "hIoU": scores.hiou}
        _log.info("convention %s: %s", self._convention, results)
        return OrderedDict({self._task: results})


def _read_mask(file_name: str) -> Tensor:
    """Read the labels (H, W) of a mask as `SemSegEvaluator` does."""
    with PathManager.open(file_name, "rb") as file:
        return torch.from_numpy(np.array(Image.open(file), dtype=np.int64))


def find_detectron2_convention() -> Convention:
    """Determine the convention of the installed `SemSegEvaluator` by a probe.

    The probe has two pixels of class 0, one of them predicted as class 1, which does not occur in the target. Class 1
    is left out of the mean under "d2-main" and has an IoU of 0 under "d2-0.6".
    """
    name = "chimera_probe"
    with tempfile.TemporaryDirectory() as folder:
        mask = str(Path(folder) / "mask.png")
        Image.fromarray(np.zeros((1, 2), dtype=np.uint8)).save(mask)
        DatasetCatalog.register(name, lambda: [{"file_name": mask, "sem_seg_file_name": mask}])
        MetadataCatalog.get(name).set(stuff_classes=["true", "absent"], ignore_label=255)
        try:
            evaluator = SemSegEvaluator(name, distributed=False)
            evaluator.reset()
            evaluator.process([{"file_name": mask}], [{"sem_seg": torch.eye(2)[:, None]}])
            miou = evaluator.evaluate()["sem_seg"]["mIoU"]
        finally:
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)
    return "d2-main" if miou == 50 else "d2-0.6"
