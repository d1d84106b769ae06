"""Captions and tags reach only the methods whose supervision includes them, in both engines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmark.core.budget import Budget
from benchmark.core.method import Method
from benchmark.core.types import Batch, Losses, Prediction
from benchmark.execution.load_run import LoadedRun, load_run
from benchmark.execution.runner import open_engine
from benchmark.planning.registry import list_methods, load_recipe
from benchmark.planning.resolve import ENGINES, resolve
from benchmark.utils.optional_packages import require_engine

EXPECTED: dict[str, tuple[set[str], set[str]]] = {
    "clip_es": (set(), {"tags"}),
    "clip_es_tag_free": (set(), set()),
    "pacl": ({"captions"}, set()),
    "pacl_sup": (set(), set()),
}
"""By method, the keys beyond the image and its labels, in training and in evaluation."""
BUDGET = Budget(iterations=1, batch_size=2)


class Recorder(Method):
    """Method that notes the captions and tags that it gets in training and in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.trained, self.scored = set[str](), set[str]()
        self.num_classes = 0

    def set_classes(self, names: Sequence[str]) -> None:
        self.num_classes = len(names)

    def losses(self, batch: Batch) -> Losses:
        self.trained |= {key for sample in batch for key in sample} & {"captions", "tags"}
        return {"loss": self.weight.square()}

    def predict(self, batch: Batch) -> list[Prediction]:
        self.scored |= {key for sample in batch for key in sample} & {"captions", "tags"}
        return [{"sem_seg": torch.zeros(self.num_classes, item["height"], item["width"])} for item in batch]


def load(name: str, *, engine: str = "fabric") -> LoadedRun:
    spec = resolve(name, split="toybox", seed=0, max_images=2, engine=engine)
    return load_run(spec, load_recipe(name))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_method_gets_what_its_supervision_includes_and_nothing_else(name: str, engine: str, tmp_path: Path) -> None:
    try:
        require_engine(engine)
    except ValueError as error:
        pytest.skip(str(error))
    run, recorder = load(name, engine=engine), Recorder()
    trainer, observe, split = open_engine(run.spec), (lambda _: None), run.split
    recorder.set_classes(split.seen)
    trainer.fit(recorder, run.train_loader, budget=BUDGET, seed=0, checkpoint=tmp_path / "x.pt", observe=observe)
    recorder.set_classes(split.classes)
    trainer.evaluate(recorder, run.eval_loader, classes=split.classes, seen=split.is_seen, gamma=0.0, observe=observe)
    assert (recorder.trained, recorder.scored) == EXPECTED[name]


@pytest.mark.parametrize("name", list_methods())
def test_samples_of_a_run_have_what_the_supervision_includes_and_nothing_else(name: str) -> None:
    supervision, run = load_recipe(name).traits.supervision, load(name)
    (trained, *_), (scored, _) = next(run.train_loader.batches(0, 1)), run.eval_loader.sample(0)
    assert ("captions" in trained, "tags" in trained) == (supervision.includes_captions, False)
    assert ("captions" in scored, "tags" in scored) == (False, supervision.includes_tags)
