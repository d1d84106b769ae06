"""Zero-shot without leaks: what a method must not know changes no bit of what it learns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe, Supervision, Traits
from benchmark.core.protocol import Protocol
from benchmark.core.seeding import KeyedRandom, seed_globals
from benchmark.core.split import Split
from benchmark.core.train_split import TrainSplit, WithheldNamesError
from benchmark.core.types import IGNORE, Batch, Losses, Prediction
from benchmark.data.base import ImageRef, RawSample
from benchmark.data.loader import TrainLoader
from benchmark.engine.fabric import FabricEngine
from benchmark.planning.resolve import load_recipe_of
from tests.methods.cases import CASES, SPLIT, spec_of

SIDE, NUM_IMAGES = 32, 4


@dataclass
class TinyDataset:
    """A tiny dataset with every class of the split, and void."""

    classes: tuple[str, ...]
    labels: NDArray[np.uint8]
    name: str = "toybox"

    def size(self, subset: str) -> int:
        return len(self.labels)

    def read(self, subset: str, index: int) -> RawSample:
        image = KeyedRandom("leak image", index).draw_integers(0, 256, shape=(SIDE, SIDE, 3)).astype(np.uint8)
        return RawSample(image, self.labels[index], *self.get_image_ref(subset, index))

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        return ImageRef(str(index), str(index))

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        return frozenset(range(len(self.classes)))

    def fingerprint(self, *subsets: str) -> str:
        return ""


@dataclass(frozen=True)
class TrainingData:
    """Split and dataset that a method is trained on."""

    split: Split
    dataset: TinyDataset


Change = Callable[[TrainingData], TrainingData]
Outcome = tuple[list[dict[str, float]], list[Tensor]]


def _make_data() -> TrainingData:
    blocks = KeyedRandom("leak labels").draw_integers(0, len(SPLIT.classes) + 2, shape=(NUM_IMAGES, 8, 8))
    labels = np.where(blocks < len(SPLIT.classes), blocks, IGNORE).astype(np.uint8)
    return TrainingData(SPLIT, TinyDataset(SPLIT.classes, labels.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)))


def _relabel(data: TrainingData, new: dict[int, int]) -> TrainingData:
    table = np.arange(IGNORE + 1, dtype=np.uint8)
    table[list(new)] = list(new.values())
    return replace(data, dataset=replace(data.dataset, labels=table[data.dataset.labels]))


def _unseen_ids(data: TrainingData) -> list[int]:
    return [data.dataset.classes.index(name) for name in data.split.unseen]


def rename_unseen(data: TrainingData) -> TrainingData:
    """Rename the unseen classes."""
    new = {name: f"renamed {index}" for index, name in enumerate(data.split.unseen)}
    renamed = {"classes": [new.get(name, name) for name in data.split.classes], "unseen": list(new.values())}
    classes = tuple(new.get(name, name) for name in data.dataset.classes)
    return TrainingData(Split(**data.split.model_dump() | renamed), replace(data.dataset, classes=classes))


def permute_unseen(data: TrainingData) -> TrainingData:
    """Give every unseen pixel the label of another unseen class."""
    unseen = _unseen_ids(data)
    return _relabel(data, dict(zip(unseen, unseen[1:] + unseen[:1], strict=True)))


def swap_unseen_and_void(data: TrainingData) -> TrainingData:
    """Turn unseen pixels into void, and void pixels into an unseen class."""
    unseen = _unseen_ids(data)
    return _relabel(data, dict.fromkeys(unseen, IGNORE) | {IGNORE: unseen[0]})


CHANGES = (rename_unseen, permute_unseen, swap_unseen_and_void)


@dataclass(frozen=True)
class Learner:
    """A variant of a method, and whether unseen labels are withheld from it as they should be."""

    recipe: Recipe[Any]
    config: Config
    is_withheld: bool = True

    def build(self, split: Split) -> Method:
        seed_globals("leaks")
        method = self.recipe.build(self.config, self.recipe.make_train_split(split))
        method.set_classes(split.seen)
        return method

    @property
    def budget(self) -> Budget:
        full = self.recipe.budget_for(SPLIT.dataset)
        return Budget(iterations=min(2, full.iterations), batch_size=2, init_images=min(2, full.init_images))


def learner_of(case: str) -> Learner:
    spec = spec_of(case)
    recipe = load_recipe_of(spec)
    return Learner(recipe, type(recipe.variants[spec.variant]).model_validate(spec.config))


def train(learner: Learner, data: TrainingData) -> Outcome:
    """Return all losses of a short training, and the predictions for the seen classes after it."""
    shown = data.split if learner.is_withheld else Split(**data.split.model_dump() | {"unseen": ()})
    loader = TrainLoader(data.dataset, shown, protocol=Protocol(), batch_size=2, seed=0)
    method, losses = learner.build(data.split), list[dict[str, float]]()
    with tempfile.TemporaryDirectory() as folder:
        FabricEngine(accelerator="cpu").fit(
            method,
            loader,
            budget=learner.budget,
            seed=0,
            checkpoint=Path(folder) / "checkpoint.pt",
            observe=lambda progress: losses.append(progress.losses),
        )
    with torch.no_grad():
        predictions = method.eval().predict(next(loader.init_batches(2)))
    return losses, [prediction["sem_seg"] for prediction in predictions]


def find_leaks(learner: Learner) -> list[str]:
    """Return the names of those changes of hidden facts that change what is learned."""
    before = train(learner, _make_data())
    return [change.__name__ for change in CHANGES if not _are_equal(before, train(learner, change(_make_data())))]


def _are_equal(before: Outcome, after: Outcome) -> bool:
    (losses, predictions), (new_losses, new_predictions) = before, after
    return losses == new_losses and all(torch.equal(a, b) for a, b in zip(predictions, new_predictions, strict=True))


def _cases_with(*kinds: Supervision) -> list[str]:
    return [case for case in CASES if load_recipe_of(spec_of(case)).traits.supervision in kinds]


@pytest.mark.parametrize("case", _cases_with(Supervision.NONE, Supervision.SEEN_MASKS))
def test_what_is_learned_does_not_depend_on_unseen_names_and_labels(case: str) -> None:
    rule = "training must not depend on unseen names, unseen labels, or the location of unseen and void pixels"
    assert find_leaks(learner_of(case)) == [], rule


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_the_data(change: Change) -> None:
    before, after = _make_data(), change(_make_data())
    has_same_labels = np.array_equal(before.dataset.labels, after.dataset.labels)
    assert before.split != after.split or not has_same_labels


class LeakTestMethod(Method):
    """Losses and predictions computed from one weight, the labels and the given names."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.weight, self.names = nn.Parameter(torch.ones(())), names
        self.count = 0

    def set_classes(self, names: Sequence[str]) -> None:
        self.count = len(names)

    def losses(self, batch: Batch) -> Losses:
        labels = torch.stack([sample["sem_seg"] for sample in batch]).float()
        return {"loss": self.weight * (labels.square().mean() + len("".join(self.names)))}

    def predict(self, batch: Batch) -> list[Prediction]:
        return [{"sem_seg": self.weight.expand(self.count, sample["height"], sample["width"])} for sample in batch]


def _make_learner(*, names: Callable[[TrainSplit], Sequence[str]], is_withheld: bool = True) -> Learner:
    recipe = Recipe(
        title="toy",
        paper="",
        traits=Traits(supervision=Supervision.SEEN_MASKS),
        variants={"toy": Config()},
        build=lambda config, split: LeakTestMethod(names(split)),
        budgets={"*": Budget(iterations=2)},
    )
    return Learner(recipe, Config(), is_withheld)


def test_a_method_that_uses_only_seen_names_and_labels_passes() -> None:
    assert find_leaks(_make_learner(names=lambda split: split.seen)) == []


def test_a_method_that_reads_unseen_names_is_caught() -> None:
    with pytest.raises(WithheldNamesError, match="a method with supervision 'seen_masks' must not know"):
        find_leaks(_make_learner(names=lambda split: split.unseen))


def test_a_method_whose_labels_are_not_withheld_is_caught() -> None:
    learner = _make_learner(names=lambda split: split.seen, is_withheld=False)
    assert find_leaks(learner) == ["permute_unseen", "swap_unseen_and_void"]
