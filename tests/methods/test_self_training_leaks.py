"""What self-training of methods with seen masks depends on: unseen names, and unseen pixels if they are located.

Inductive training of every variant passes the same changes in `tests/methods/test_contract.py`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from benchmark.contract.hidden_facts import (
    Change,
    TrainingData,
    make_training_data,
    permute_unseen,
    rename_unseen,
    swap_unseen_and_void,
)
from benchmark.contract.training import Learned, train_briefly
from benchmark.core.method import Supervision
from benchmark.core.protocol import Protocol, TrainingSetting
from benchmark.planning.registry import list_methods, load_recipe
from tests.methods.cases import subject_of

METHODS = [name for name in list_methods() if load_recipe(name).traits.supervision is Supervision.SEEN_MASKS]
NAMES: TrainingSetting = "transductive"
LOCATED: TrainingSetting = "transductive, unseen located"


@cache
def learn(method: str, setting: TrainingSetting, change: Change | None = None) -> Learned:
    """Return two iterations of the first variant: an inductive one, and one with pseudo labels."""
    subject = subject_of(f"{method}/{next(iter(load_recipe(method).variants))}")
    setup = replace(subject.setup, protocol=Protocol(setting=setting))
    data = make_training_data(subject.split)
    return train_briefly(
        lambda split: replace(setup, split=split).build(0),
        change(data) if change is not None else data,
        budget=setup.budget,
        supervision=Supervision.SEEN_MASKS,
        protocol=setup.protocol,
    )


def find_changed_iterations(method: str, setting: TrainingSetting, change: Change) -> list[int]:
    """Return the iterations in which a loss depends on a change of hidden facts."""
    pairs = zip(learn(method, setting).losses, learn(method, setting, change).losses, strict=True)
    return [iteration for iteration, (first, second) in enumerate(pairs) if first != second]


def change_masks(data: TrainingData) -> TrainingData:
    """Exchange unseen classes among each other, and then unseen pixels and void ones."""
    return swap_unseen_and_void(permute_unseen(data))


@pytest.mark.parametrize("method", METHODS)
def test_self_training_depends_on_unseen_names_once_it_begins(method: str) -> None:
    assert find_changed_iterations(method, NAMES, rename_unseen) == [1]


@pytest.mark.parametrize("method", METHODS)
def test_self_training_depends_on_no_mask_of_unseen_classes(method: str) -> None:
    assert find_changed_iterations(method, NAMES, change_masks) == []


def test_located_self_training_depends_on_which_pixels_are_unseen_but_not_on_their_classes() -> None:
    assert find_changed_iterations("spnet", LOCATED, swap_unseen_and_void) == [1]
    assert find_changed_iterations("spnet", LOCATED, permute_unseen) == []
