"""Tests of our evaluator in Detectron2's loop, and of Detectron2's results computed from our counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

import benchmark.d2.register  # noqa: F401  # first, as it loads Detectron2 without its warnings

# isort: split
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import DatasetEvaluators, SemSegEvaluator
from PIL import Image

from benchmark.core.protocol import Protocol
from benchmark.core.split import load_split
from benchmark.d2.evaluator import CountsEvaluator, find_detectron2_convention
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts, load
from benchmark.evaluation.detectron2_scores import compute_sem_seg_results
from benchmark.evaluation.scores import score

# Detectron2 makes arrays from tensors and masks in a way that numpy deprecated
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAME = "chimera_toybox_test"
NUM_CLASSES = len(load_split("toybox").classes)


def make_predictions(
    inputs: Sequence[dict[str, Any]], *, seed: int = 0, classes: int = NUM_CLASSES, side: int = 64
) -> list[dict]:
    """Return scores with few levels: many pixels have several best classes, and some classes are rarely predicted."""
    noise = torch.Generator().manual_seed(seed)
    favoured = torch.randint(0, 3, (classes, 1, 1), generator=noise)
    return [
        {"sem_seg": (torch.randint(0, 4, (classes, side, side), generator=noise) + favoured).float()} for _ in inputs
    ]


def evaluate(evaluator: Any, inputs: Sequence[dict[str, Any]], predictions: Sequence[dict[str, Tensor]]) -> Any:
    """Return the results of an evaluator."""
    evaluator.reset()
    for record, prediction in zip(inputs, predictions, strict=True):
        evaluator.process([record], [prediction])
    return evaluator.evaluate()


def count(inputs: Sequence[dict[str, Any]], predictions: Sequence[dict[str, Tensor]], *, name: str = NAME) -> Counts:
    """Return the counts of our evaluator."""
    evaluator = CountsEvaluator(name)
    evaluate(evaluator, inputs, predictions)
    assert evaluator.counts is not None
    return evaluator.counts


def is_identical(ours: dict[str, float], theirs: dict[str, float]) -> bool:
    """Return whether all results except boundary IoUs are identical and in the same order."""
    names = [name for name in theirs if "B-I" not in name and "Boundary" not in name]
    pairs = [(ours[name], theirs[name]) for name in names]
    return list(ours) == names and all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in pairs)


@pytest.mark.parametrize("seed", range(4))
def test_detectron2_results_are_reproduced_exactly_from_our_counts(seed: int) -> None:
    inputs = DatasetCatalog.get(NAME)[seed : seed + 3]  # some classes are absent
    predictions = make_predictions(inputs, seed=seed)
    theirs = evaluate(SemSegEvaluator(NAME, distributed=False), inputs, predictions)["sem_seg"]
    assert any(math.isnan(theirs[f"IoU-{name}"]) for name in load_split("toybox").classes)
    assert is_identical(
        compute_sem_seg_results(count(inputs, predictions), find_detectron2_convention())["sem_seg"], theirs
    )


@pytest.fixture
def foreign_dataset(tmp_path: Path) -> Iterator[str]:
    """Dataset that is not ours: one mask of 2 x 4 pixels, three of them ignored."""
    name, mask = "masked", str(tmp_path / "mask.png")
    Image.fromarray(np.array([[0, 1, 255, 255], [1, 1, 255, 0]], dtype=np.uint8)).save(mask)
    DatasetCatalog.register(name, lambda: [{"file_name": mask, "sem_seg_file_name": mask}])
    MetadataCatalog.get(name).set(stuff_classes=["a", "b", "c"], ignore_label=255)
    yield name
    DatasetCatalog.remove(name)
    MetadataCatalog.remove(name)


def test_both_evaluators_ignore_the_same_pixels(foreign_dataset: str) -> None:
    inputs = DatasetCatalog.get(foreign_dataset)
    predictions = [{"sem_seg": torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(1))}]
    theirs = evaluate(SemSegEvaluator(foreign_dataset, distributed=False), inputs, predictions)["sem_seg"]
    counts = count(inputs, predictions, name=foreign_dataset)
    assert counts.totals.target.sum() == 5
    assert is_identical(compute_sem_seg_results(counts, find_detectron2_convention())["sem_seg"], theirs)


def test_the_convention_of_the_installed_version_is_found() -> None:
    before = (set(DatasetCatalog), set(MetadataCatalog))
    assert find_detectron2_convention() in ("d2-main", "d2-0.6")
    assert (set(DatasetCatalog), set(MetadataCatalog)) == before


def test_an_older_convention_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SemSegEvaluator, "evaluate", lambda self: {"sem_seg": {"mIoU": 25.0}})
    assert find_detectron2_convention() == "d2-0.6"


def test_the_evaluator_has_the_counts_of_our_counter() -> None:
    inputs, evaluator = DatasetCatalog.get(NAME)[:2], CountsEvaluator(NAME, gamma=0.1)
    predictions, split = make_predictions(inputs), load_split("toybox")
    evaluate(evaluator, inputs, predictions)
    counter = Counter(split.classes, split.is_seen, gamma=0.1)
    loader = EvalLoader(open_dataset("toybox"), split, protocol=Protocol(), max_images=2)
    for prediction, (sample, target) in zip(predictions, loader, strict=True):
        counter.update(prediction["sem_seg"], target, image_id=sample["image_id"])
    assert evaluator.counts == counter.compute()


def test_results_include_scores_of_seen_and_unseen_classes() -> None:
    inputs = DatasetCatalog.get(NAME)[:3]
    predictions = make_predictions(inputs)
    results = evaluate(CountsEvaluator(NAME, convention="d2-0.6"), inputs, predictions)["sem_seg"]
    scores = score(count(inputs, predictions), "d2-0.6")
    means = [results[name] for name in ("mIoU_seen", "mIoU_unseen", "hIoU")]
    assert means == [scores.miou_seen, scores.miou_unseen, scores.hiou]
    assert results["mIoU"] == pytest.approx(scores.miou)


def test_the_evaluator_can_be_combined_with_detectron2s() -> None:
    inputs = DatasetCatalog.get(NAME)[:1]
    both = DatasetEvaluators([SemSegEvaluator(NAME, distributed=False), CountsEvaluator(NAME, task="counts")])
    results = evaluate(both, inputs, make_predictions(inputs))
    assert results["counts"]["pACC"] == results["sem_seg"]["pACC"]


def test_the_first_process_merges_the_counts_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = DatasetCatalog.get(NAME)[:3]
    predictions = make_predictions(inputs)
    whole, other = count(inputs, predictions), count(inputs[2:], predictions[2:])
    monkeypatch.setattr("detectron2.utils.comm.gather", lambda own: [own, other])
    assert count(inputs[:2], predictions[:2]) == whole


def test_other_processes_have_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, evaluator = DatasetCatalog.get(NAME)[:1], CountsEvaluator(NAME)
    monkeypatch.setattr("detectron2.utils.comm.gather", lambda own: [])
    assert evaluate(evaluator, inputs, make_predictions(inputs)) is None and evaluator.counts is None


def test_counts_are_written_to_the_output_folder(tmp_path: Path) -> None:
    inputs, evaluator = DatasetCatalog.get(NAME)[:1], CountsEvaluator(NAME, output_dir=str(tmp_path / "new"))
    evaluate(evaluator, inputs, make_predictions(inputs))
    assert load(tmp_path / "new" / "counts.npz") == evaluator.counts


def test_a_convention_of_another_library_is_refused() -> None:
    with pytest.raises(ValueError, match="'mmseg'"):
        CountsEvaluator(NAME, convention="mmseg")
