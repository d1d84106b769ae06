"""The toy weights that are included in the package, and their model cards."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmark.core.split import load_split
from methods.blocks.clip.assets import ASSETS
from methods.pretrain.command import hash_toybox, list_always_seen
from methods.pretrain.weights import read_history, save_weights

INCLUDED = ["toy_clip", "toy_body"]


def test_weights_are_saved_in_half_precision_with_their_history(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": torch.tensor([1.0, 1 / 3]), "n": torch.tensor(7)}, history={"seed": "3"})
    state = load_file(path)
    assert state["a"].dtype == torch.float16
    assert state["n"].item() == 7
    assert read_history(path) == {"seed": "3"}


@pytest.mark.parametrize("name", INCLUDED)
def test_the_model_card_describes_the_weight_file(name: str) -> None:
    card = (ASSETS / f"{name}.md").read_text()
    content = (ASSETS / f"{name}.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() in card
    assert len(content) <= 8_000_000


@pytest.mark.parametrize("name", INCLUDED)
def test_the_weights_were_trained_on_the_current_toybox(name: str) -> None:
    assert read_history(ASSETS / f"{name}.safetensors")["data hash"] == hash_toybox()


def test_the_body_was_trained_without_the_unseen_classes_of_any_split() -> None:
    unseen = {name for split in ("toybox", "toybox_tune") for name in load_split(split).unseen}
    assert not unseen & set(list_always_seen())
    assert f"{', '.join(list_always_seen())}." in (ASSETS / "toy_body.md").read_text()
