"""Data-dependent initialization: what it may change, and what it draws."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmark.planning.resolve import build
from tests.engine.runs import fit, same_state, small_spec
from tests.engine.small_method import Small


def test_without_iterations_only_initialization_happens(tmp_path: Path) -> None:
    method = fit(small_spec(budget__iterations=0), tmp_path / "checkpoint.pt")
    state = method.state_dict()
    assert torch.all(state["mean"] > 0) and not torch.any(state["memory"])
    assert same_state(method, fit(small_spec(budget__iterations=0), tmp_path / "checkpoint.pt"))


def test_initialization_that_changes_a_frozen_part_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def initialize(self: Small, batches: object) -> None:
        self.color_map[0].bias.add_(1)

    monkeypatch.setattr(type(build(small_spec())), "initialize", initialize)
    with pytest.raises(ValueError, match=r"initialize changed color_map\.0\.bias, which are frozen"):
        fit(small_spec(), tmp_path / "checkpoint.pt")


def test_random_draws_of_initialization_have_their_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = small_spec(budget__iterations=0)
    draws: list[torch.Tensor] = []
    monkeypatch.setattr(type(build(spec)), "initialize", lambda self, batches: draws.append(torch.rand(3)))
    monkeypatch.setattr(type(build(spec)), "set_classes", lambda self, names: torch.rand(len(draws)))
    for name in ("first.pt", "second.pt"):
        fit(spec, tmp_path / name)
    assert torch.equal(*draws)
