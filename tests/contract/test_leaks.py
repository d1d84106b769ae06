"""Zero-shot without leaks: the changes of hidden facts, and labels that are not withheld."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.contract.hidden_facts import (
    TrainingData,
    make_training_data,
    permute_unseen,
    rename_unseen,
    swap_unseen_and_void,
)
from benchmark.contract.leaks import describe_difference
from benchmark.contract.training import train_briefly
from benchmark.core.budget import Budget
from benchmark.core.method import Method
from benchmark.core.split import Split, load_split
from benchmark.core.types import Batch, Losses, Prediction

CHANGES = (rename_unseen, permute_unseen, swap_unseen_and_void)
DATA = make_training_data(load_split("toybox"))

Change = Callable[[TrainingData], TrainingData]


class Learner(Method):
    """Losses and predictions computed from one weight, the labels and a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.weight, self.text, self.count = nn.Parameter(torch.ones(())), text, 0

    def set_classes(self, names: object) -> None:
        self.count = len(list(names))  # type: ignore[call-overload]

    def losses(self, batch: Batch) -> Losses:
        labels = torch.stack([sample["sem_seg"] for sample in batch]).float()
        return {"loss": self.weight * (labels.square().mean() + len(self.text))}

    def predict(self, batch: Batch) -> list[Prediction]:
        return [{"sem_seg": self.weight.expand(self.count, sample["height"], sample["width"])} for sample in batch]


def _list_leaks(get_names: Callable[[Split], tuple[str, ...]], *, is_withheld: bool = True) -> list[str]:
    train = partial(
        train_briefly,
        lambda split: Learner("".join(get_names(split))),
        budget=Budget(iterations=2),
        is_withheld=is_withheld,
    )
    before = train(DATA)
    return [change.__name__ for change in CHANGES if describe_difference(before, train(change(DATA)))]


def _get_seen(split: Split) -> tuple[str, ...]:
    return split.seen


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_the_data(change: Change) -> None:
    after = change(DATA)
    assert after.split != DATA.split or not np.array_equal(after.dataset.labels, DATA.dataset.labels)


def test_a_method_that_uses_only_seen_names_and_labels_passes() -> None:
    assert _list_leaks(_get_seen) == []


def test_a_method_that_knows_unseen_names_is_caught() -> None:
    assert _list_leaks(lambda split: split.unseen) == ["rename_unseen"]


def test_a_method_that_loads_the_split_by_its_name_is_caught() -> None:
    assert _list_leaks(lambda split: load_split(split.name).unseen) == ["rename_unseen"]


def test_labels_that_are_not_withheld_are_caught() -> None:
    assert _list_leaks(_get_seen, is_withheld=False) == ["permute_unseen", "swap_unseen_and_void"]


class DrawingLearner(Learner):
    """A method whose vocabulary is drawn from the global generator."""

    def set_classes(self, names: object) -> None:
        super().set_classes(names)
        self.text = "x" * int(torch.randint(1000, ()))


def test_what_building_draws_is_no_difference_of_trainings() -> None:
    def build(_split: Split, *, draws: int) -> Method:
        torch.rand(draws)
        return DrawingLearner("")

    first, second = (
        train_briefly(partial(build, draws=number), DATA, budget=Budget(iterations=2)) for number in (1, 2)
    )
    assert describe_difference(first, second) == ""


def test_data_can_be_made_for_more_classes_than_a_byte_holds() -> None:
    data = make_training_data(load_split("ade20k_847"))
    assert data.dataset.labels.dtype == np.uint16
    assert swap_unseen_and_void(data).dataset.labels.max() <= 65535
