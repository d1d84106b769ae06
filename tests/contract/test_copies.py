"""Copies are those of `copy.deepcopy`: independent, and equal in what belongs together."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmark.contract.copies import CopySource


def test_copies_are_independent_of_each_other_and_of_the_original() -> None:
    original = nn.Linear(2, 2)
    source = CopySource(original)
    first, second = source.copy(), source.copy()
    first.weight.data.zero_()
    assert torch.equal(second.weight, original.weight) and not torch.equal(first.weight, second.weight)
    assert second.weight.requires_grad and second.weight.grad is None


def test_what_is_one_in_the_original_is_one_in_a_copy() -> None:
    values = torch.arange(6.0)
    original = SimpleNamespace(values=values, again=values, view=values[2:4], names=(names := ["a"]), same=names)
    copy = CopySource(original).copy()
    assert copy.values is copy.again and copy.values is not values and copy.names is copy.same
    copy.values.zero_()
    assert copy.view.tolist() == [0, 0] and values.tolist() == [0, 1, 2, 3, 4, 5]


def test_functions_and_classes_without_a_name_for_pickle_are_shared() -> None:
    class Local:
        value = 1

    original = SimpleNamespace(function=lambda: 2, kind=Local, instance=Local())
    copy = CopySource(original).copy()
    assert copy.function is original.function and copy.kind is Local
    assert type(copy.instance) is Local and copy.instance is not original.instance


@pytest.mark.parametrize(
    ("part", "reason"),
    [(threading.Lock(), "cannot pickle"), (torch.ones(1, requires_grad=True) * 2, "Only Tensors created explicitly")],
    ids=["lock", "computed"],
)
def test_what_deepcopy_refuses_is_refused(part: object, reason: str) -> None:
    with pytest.raises((TypeError, RuntimeError), match=reason):
        CopySource(SimpleNamespace(part=part))
