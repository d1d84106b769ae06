"""Our counts in Detectron2's evaluation loop, and which of our conventions its own evaluator follows."""

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
from benchmark.evaluation.detectron2_scores import SEM_SEG_CONVENTIONS, sem_seg_results
from benchmark.evaluation.scores import Convention, score
from benchmark.utils.did_you_mean import unknown_name

COUNTS_FILE = "counts.npz"

_log = logging.getLogger(__name__)


class CountsEvaluator(DatasetEvaluator):  # type: ignore[misc]
    """Counts pixels as the suite's runs do, for any data set with masks in Detectron2's catalogs.

    Args:
        name: of the data set. Its metadata say stuff_classes, ignore_label and, of ours, which are seen; without that,
            all are.
        gamma: offset subtracted from the softmax of every seen class before the decision; 0 decides as everybody else
            does, a run of the suite by the gamma of its protocol.
        convention: under which scores are told, "d2-main" or "d2-0.6".
        task: what the results are called. Beside a `SemSegEvaluator` it must be another name than that one's.
        output_dir: a folder for counts.npz, which `benchmark.evaluation.counts.load` reads; none where empty.
        distributed: count what all processes saw, in the first of them.

    Attributes:
        counts: after `evaluate`, in the first process.

    Raises:
        ValueError: Detectron2 knows no such convention, or gamma is not on the grid.
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
            raise ValueError(unknown_name("convention of Detectron2", convention, SEM_SEG_CONVENTIONS))
        metadata = MetadataCatalog.get(name)
        self._classes: Sequence[str] = metadata.stuff_classes
        self._seen: Sequence[bool] = metadata.get("seen", [True] * len(self._classes))
        self._ignore: int = metadata.ignore_label
        self._gamma, self._convention, self._task = gamma, convention, task
        self._folder, self._is_distributed = output_dir, distributed
        self._mask_of = {record["file_name"]: record["sem_seg_file_name"] for record in DatasetCatalog.get(name)}
        self.counts: Counts | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self._counter = Counter(self._classes, self._seen, gamma=self._gamma, ignore=self._ignore)
        self.counts = None

    def process(self, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Prediction]) -> None:
        """Count images.

        Args:
            inputs: file_name as in the catalog; image_id, for which the file's name stands where it is missing.
            outputs: sem_seg (K, H, W) scores, H and W those of the mask.

        Raises:
            ValueError: the scores do not fit the mask or are not finite, the mask has labels that are no class, or an
                image was counted before.
        """
        for given, output in zip(inputs, outputs, strict=True):
            file_name = given["file_name"]
            truth = _mask(self._mask_of[file_name])
            self._counter.update(output, truth, image_id=str(given.get("image_id", file_name)))

    def evaluate(self) -> OrderedDict[str, dict[str, float]] | None:
        """Scores in percent: those of `SemSegEvaluator` by its names, and mIoU_seen, mIoU_unseen and hIoU.

        In processes other than the first, None.
        """
        parts = comm.gather(self._counter.counts()) if self._is_distributed else [self._counter.counts()]
        if not parts:
            return None
        self.counts = merge(parts)
        if self._folder:
            PathManager.mkdirs(self._folder)
            self.counts.save(Path(self._folder) / COUNTS_FILE)
        scores = score(self.counts, self._convention)
        (results,) = sem_seg_results(self.counts, self._convention).values()
        results |= {"mIoU_seen": scores.miou_seen, "mIoU_unseen": scores.miou_unseen, "hIoU": scores.hiou}
        _log.info("under the convention %s: %s", self._convention, results)
        return OrderedDict({self._task: results})


def _mask(file_name: str) -> Tensor:
    """(H, W) the numbers in a mask, as `SemSegEvaluator` reads it."""
    with PathManager.open(file_name, "rb") as file:
        return torch.from_numpy(np.array(Image.open(file), dtype=np.int64))


def convention_of_detectron2() -> Convention:
    """Under which convention the `SemSegEvaluator` that is installed scores, found by asking it.

    Two pixels of class 0, one of them taken for class 1, which does not occur: is 1 an IoU of 0, or left out?
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
