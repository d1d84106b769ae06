"""Evaluators both ways: our counts in Detectron2's loop, and its results from our counts."""

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
from benchmark.d2.evaluator import CountsEvaluator, convention_of_detectron2
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts, load
from benchmark.evaluation.detectron2_scores import sem_seg_results
from benchmark.evaluation.scores import score

# of its way to make arrays of tensors and masks
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAME = "chimera_toybox_test"


def outputs(inputs: Sequence[dict[str, Any]], *, seed: int = 0, classes: int = 20, side: int = 64) -> list[dict]:
    """Scores with few levels, so that many pixels have several best classes; some classes are hardly predicted."""
    noise = torch.Generator().manual_seed(seed)
    favoured = torch.randint(0, 3, (classes, 1, 1), generator=noise)
    return [
        {"sem_seg": (torch.randint(0, 4, (classes, side, side), generator=noise) + favoured).float()} for _ in inputs
    ]


def evaluated(evaluator: Any, inputs: Sequence[dict[str, Any]], answers: Sequence[dict[str, Tensor]]) -> Any:
    """What an evaluator says."""
    evaluator.reset()
    for one, answer in zip(inputs, answers, strict=True):
        evaluator.process([one], [answer])
    return evaluator.evaluate()


def counted(inputs: Sequence[dict[str, Any]], answers: Sequence[dict[str, Tensor]], *, name: str = NAME) -> Counts:
    """What our evaluator counts."""
    evaluator = CountsEvaluator(name)
    evaluated(evaluator, inputs, answers)
    assert evaluator.counts is not None
    return evaluator.counts


def same(ours: dict[str, float], theirs: dict[str, float]) -> bool:
    """Whether all but boundary IoUs is the same, to the last digit and in the same order."""
    names = [name for name in theirs if "B-I" not in name and "Boundary" not in name]
    pairs = [(ours[name], theirs[name]) for name in names]
    return list(ours) == names and all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in pairs)


@pytest.mark.parametrize("seed", range(4))
def test_its_results_come_out_of_our_counts_to_the_last_digit(seed: int) -> None:
    inputs = DatasetCatalog.get(NAME)[seed : seed + 3]  # which show some of the classes only
    answers = outputs(inputs, seed=seed)
    theirs = evaluated(SemSegEvaluator(NAME, distributed=False), inputs, answers)["sem_seg"]
    assert any(math.isnan(theirs[f"IoU-{name}"]) for name in load_split("toybox").classes)
    assert same(sem_seg_results(counted(inputs, answers), convention_of_detectron2())["sem_seg"], theirs)


@pytest.fixture
def masked(tmp_path: Path) -> Iterator[str]:
    """A data set of anybody's: one mask of 2 x 4 pixels, three of them to ignore."""
    name, mask = "masked", str(tmp_path / "mask.png")
    Image.fromarray(np.array([[0, 1, 255, 255], [1, 1, 255, 0]], dtype=np.uint8)).save(mask)
    DatasetCatalog.register(name, lambda: [{"file_name": mask, "sem_seg_file_name": mask}])
    MetadataCatalog.get(name).set(stuff_classes=["a", "b", "c"], ignore_label=255)
    yield name
    DatasetCatalog.remove(name)
    MetadataCatalog.remove(name)


def test_pixels_to_ignore_are_left_out_by_both(masked: str) -> None:
    inputs = DatasetCatalog.get(masked)
    answers = [{"sem_seg": torch.rand(3, 2, 4, generator=torch.Generator().manual_seed(1))}]
    theirs = evaluated(SemSegEvaluator(masked, distributed=False), inputs, answers)["sem_seg"]
    counts = counted(inputs, answers, name=masked)
    assert counts.totals().truth.sum() == 5
    assert same(sem_seg_results(counts, convention_of_detectron2())["sem_seg"], theirs)


def test_the_convention_of_what_is_installed_is_found() -> None:
    before = (set(DatasetCatalog), set(MetadataCatalog))
    assert convention_of_detectron2() in ("d2-main", "d2-0.6")
    assert (set(DatasetCatalog), set(MetadataCatalog)) == before


def test_an_older_convention_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SemSegEvaluator, "evaluate", lambda self: {"sem_seg": {"mIoU": 25.0}})
    assert convention_of_detectron2() == "d2-0.6"


def test_it_counts_what_our_counter_counts() -> None:
    inputs, evaluator = DatasetCatalog.get(NAME)[:2], CountsEvaluator(NAME, gamma=0.1)
    answers, split = outputs(inputs), load_split("toybox")
    evaluated(evaluator, inputs, answers)
    counter = Counter(split.classes, split.is_seen, gamma=0.1)
    view = EvalLoader(open_dataset("toybox"), split, protocol=Protocol(), max_images=2)
    for answer, (sample, truth) in zip(answers, view, strict=True):
        counter.update(answer["sem_seg"], truth, image_id=sample["image_id"])
    assert evaluator.counts == counter.counts()


def test_scores_of_seen_and_unseen_classes_are_beside_those_of_detectron2() -> None:
    inputs = DatasetCatalog.get(NAME)[:3]
    answers = outputs(inputs)
    results = evaluated(CountsEvaluator(NAME, convention="d2-0.6"), inputs, answers)["sem_seg"]
    scores = score(counted(inputs, answers), "d2-0.6")
    means = [results[name] for name in ("mIoU_seen", "mIoU_unseen", "hIoU")]
    assert means == [scores.miou_seen, scores.miou_unseen, scores.hiou]
    assert results["mIoU"] == pytest.approx(scores.miou)


def test_it_stands_beside_the_other_evaluator() -> None:
    inputs = DatasetCatalog.get(NAME)[:1]
    both = DatasetEvaluators([SemSegEvaluator(NAME, distributed=False), CountsEvaluator(NAME, task="counts")])
    results = evaluated(both, inputs, outputs(inputs))
    assert results["counts"]["pACC"] == results["sem_seg"]["pACC"]


def test_what_other_processes_counted_is_added_in_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = DatasetCatalog.get(NAME)[:3]
    answers = outputs(inputs)
    whole, other = counted(inputs, answers), counted(inputs[2:], answers[2:])
    monkeypatch.setattr("detectron2.utils.comm.gather", lambda own: [own, other])
    assert counted(inputs[:2], answers[:2]) == whole


def test_in_other_processes_there_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, evaluator = DatasetCatalog.get(NAME)[:1], CountsEvaluator(NAME)
    monkeypatch.setattr("detectron2.utils.comm.gather", lambda own: [])
    assert evaluated(evaluator, inputs, outputs(inputs)) is None and evaluator.counts is None


def test_counts_are_kept_in_a_folder(tmp_path: Path) -> None:
    inputs, evaluator = DatasetCatalog.get(NAME)[:1], CountsEvaluator(NAME, output_dir=str(tmp_path / "new"))
    evaluated(evaluator, inputs, outputs(inputs))
    assert load(tmp_path / "new" / "counts.npz") == evaluator.counts


def test_a_convention_that_is_not_detectron2s_is_refused() -> None:
    with pytest.raises(ValueError, match="'mmseg'"):
        CountsEvaluator(NAME, convention="mmseg")
