"""Frozen modules stay in evaluation mode; what is frozen is told by parameters alone."""

from __future__ import annotations

from torch import nn

from benchmark.core.frozen_modules import find_frozen_modules
from tests.engine.small_method import Small


def freeze(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False)


def test_a_module_is_frozen_if_it_has_parameters_and_none_is_trained_at_any_depth() -> None:
    frozen, trained = freeze(nn.Sequential(nn.Linear(1, 1), nn.Dropout())), nn.Linear(1, 1)
    mixed = nn.Sequential(nn.Sequential(trained, freeze(nn.Linear(1, 1))), frozen)
    assert find_frozen_modules(mixed) == {frozen, frozen[0], mixed[0][1]}
    assert find_frozen_modules(frozen) == {frozen, frozen[0]}
    assert find_frozen_modules(nn.Dropout()) == set()


def test_a_module_of_two_parents_counts_for_both() -> None:
    shared = nn.Linear(1, 1)
    parents = nn.ModuleList([nn.Sequential(shared), nn.Sequential(freeze(nn.Linear(1, 1)), shared)])
    assert find_frozen_modules(parents) == {parents[1][0]}


def test_a_frozen_module_of_a_method_stays_in_evaluation_mode_with_what_it_holds() -> None:
    body = nn.Sequential(freeze(nn.Sequential(nn.Linear(1, 1), nn.Dropout())), nn.Linear(1, 1), nn.Dropout())
    method = Small(width=2, drop=nn.Identity(), classes=["a"])
    method.body = body
    assert [part.training for part in (method.train(), body[0], body[0][1], body[1], body[2])] == [
        True,
        False,
        False,
        True,
        True,
    ]
    assert not any(part.training for part in method.eval().modules())


def test_a_method_of_frozen_parameters_follows_the_mode_that_is_set() -> None:
    method = freeze(Small(width=2, drop=nn.Identity(), classes=["a"]))
    assert method.train().training and not method.body.training
