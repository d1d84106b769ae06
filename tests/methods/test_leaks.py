"""Honest zero-shot: what a method may not know changes nothing in its training, not even the last bit of a loss."""

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
from benchmark.core.types import IGNORE, Batch, Losses, Prediction
from benchmark.data.base import Address, RawSample
from benchmark.data.loader import TrainLoader
from benchmark.engine.fabric import FabricEngine
from benchmark.planning.registry import load_recipe
from tests.methods.cases import CASES, SPLIT, spec_of

SIDE, IMAGES = 32, 4


@dataclass
class World:
    """A tiny data set that holds every class of the split, and void."""

    classes: tuple[str, ...]
    labels: NDArray[np.uint8]
    name: str = "toybox"

    def size(self, part: str) -> int:
        return len(self.labels)

    def read(self, part: str, index: int) -> RawSample:
        image = KeyedRandom("leak image", index).integers(0, 256, shape=(SIDE, SIDE, 3)).astype(np.uint8)
        return RawSample(image, self.labels[index], *self.address(part, index))

    def address(self, part: str, index: int) -> Address:
        return Address(str(index), str(index))

    def labels_in(self, part: str, index: int) -> frozenset[int]:
        return frozenset(range(len(self.classes)))

    def fingerprint(self, *parts: str) -> str:
        return ""


@dataclass(frozen=True)
class Given:
    """What a method is trained on."""

    split: Split
    world: World


Change = Callable[[Given], Given]
Learnt = tuple[list[dict[str, float]], list[Tensor]]


def _as_it_is() -> Given:
    blocks = KeyedRandom("leak labels").integers(0, len(SPLIT.classes) + 2, shape=(IMAGES, 8, 8))
    labels = np.where(blocks < len(SPLIT.classes), blocks, IGNORE).astype(np.uint8)
    return Given(SPLIT, World(SPLIT.classes, labels.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)))


def _relabelled(given: Given, new: dict[int, int]) -> Given:
    table = np.arange(IGNORE + 1, dtype=np.uint8)
    table[list(new)] = list(new.values())
    return replace(given, world=replace(given.world, labels=table[given.world.labels]))


def _unseen(given: Given) -> list[int]:
    return [given.world.classes.index(name) for name in given.split.unseen]


def unseen_renamed(given: Given) -> Given:
    """The unseen classes under names that nobody has heard."""
    new = {name: f"nameless {index}" for index, name in enumerate(given.split.unseen)}
    renamed = {"classes": [new.get(name, name) for name in given.split.classes], "unseen": list(new.values())}
    classes = tuple(new.get(name, name) for name in given.world.classes)
    return Given(Split(**given.split.model_dump() | renamed), replace(given.world, classes=classes))


def unseen_permuted(given: Given) -> Given:
    """Every unseen pixel with the label of another unseen class."""
    unseen = _unseen(given)
    return _relabelled(given, dict(zip(unseen, unseen[1:] + unseen[:1], strict=True)))


def unseen_and_void_swapped(given: Given) -> Given:
    """Void where the unseen classes were, and the other way round."""
    return _relabelled(given, dict.fromkeys(_unseen(given), IGNORE) | {IGNORE: _unseen(given)[0]})


CHANGES = (unseen_renamed, unseen_permuted, unseen_and_void_swapped)


@dataclass(frozen=True)
class Learner:
    """One row of a method, and whether labels are withheld from it as they should be."""

    recipe: Recipe[Any]
    config: Config
    is_withheld: bool = True

    def method(self, split: Split) -> Method:
        seed_globals("leaks")
        method = self.recipe.build(self.config, split)
        method.set_classes(split.seen)
        return method

    @property
    def budget(self) -> Budget:
        full = self.recipe.budget_for(SPLIT.dataset)
        return Budget(iterations=min(2, full.iterations), batch_size=2, init_images=min(2, full.init_images))


def _learner(case: str) -> Learner:
    spec = spec_of(case)
    recipe = load_recipe(spec.method)
    return Learner(recipe, type(recipe.variants[spec.variant]).model_validate(spec.config))


def learnt(learner: Learner, given: Given) -> Learnt:
    """All losses of a short training, and scores of the seen classes after it."""
    shown = given.split if learner.is_withheld else Split(**given.split.model_dump() | {"unseen": ()})
    view = TrainLoader(given.world, shown, protocol=Protocol(), batch_size=2, seed=0)
    method, losses = learner.method(given.split), list[dict[str, float]]()
    with tempfile.TemporaryDirectory() as folder:
        FabricEngine(accelerator="cpu").fit(
            method,
            view,
            budget=learner.budget,
            seed=0,
            checkpoint=Path(folder) / "checkpoint.pt",
            observe=lambda progress: losses.append(progress.losses),
        )
    with torch.no_grad():
        answers = method.eval().predict(next(view.initial(2)))
    return losses, [answer["sem_seg"] for answer in answers]


def leaks(learner: Learner) -> list[str]:
    """Which changes of what must not be known change what is learnt."""
    before = learnt(learner, _as_it_is())
    return [change.__name__ for change in CHANGES if not _is_same(before, learnt(learner, change(_as_it_is())))]


def _is_same(before: Learnt, after: Learnt) -> bool:
    (losses, scores), (other_losses, other_scores) = before, after
    is_same = all(torch.equal(one, other) for one, other in zip(scores, other_scores, strict=True))
    return losses == other_losses and is_same


def _cases(*kinds: Supervision) -> list[str]:
    return [case for case in CASES if load_recipe(spec_of(case).method).traits.supervision in kinds]


@pytest.mark.parametrize("case", _cases(Supervision.NONE, Supervision.SEEN_MASKS))
def test_an_honest_method_learns_the_same_whatever_is_unseen(case: str) -> None:
    assert leaks(_learner(case)) == []


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_what_is_given(change: Change) -> None:
    before, after = _as_it_is(), change(_as_it_is())
    is_same_picture = np.array_equal(before.world.labels, after.world.labels)
    assert before.split != after.split or not is_same_picture


class Toy(Method):
    """Losses and scores made of one weight, the labels and the names it was built with."""

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


def _toy(*, names: Callable[[Split], Sequence[str]], is_withheld: bool = True) -> Learner:
    recipe = Recipe(
        title="toy",
        paper="",
        traits=Traits(supervision=Supervision.SEEN_MASKS),
        variants={"toy": Config()},
        build=lambda config, split: Toy(names(split)),
        budgets={"*": Budget(iterations=2)},
    )
    return Learner(recipe, Config(), is_withheld)


def test_a_toy_that_knows_seen_names_and_labels_alone_is_honest() -> None:
    assert leaks(_toy(names=lambda split: split.seen)) == []


def test_a_toy_that_reads_unseen_names_is_caught() -> None:
    assert leaks(_toy(names=lambda split: split.unseen)) == ["unseen_renamed"]


def test_a_toy_whose_labels_were_not_withheld_is_caught() -> None:
    learner = _toy(names=lambda split: split.seen, is_withheld=False)
    assert leaks(learner) == ["unseen_permuted", "unseen_and_void_swapped"]
