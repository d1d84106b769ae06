"""Weight files and the cards that ship with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmark.core.split import load_split
from methods.blocks.clip.config import ASSETS
from methods.pretrain.command import always_seen, world_digest
from methods.pretrain.weights import read_history, save_weights

SHIPPED = ["toy_clip", "toy_body"]


def test_weights_are_halved_and_remember_what_made_them(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": torch.tensor([1.0, 1 / 3]), "n": torch.tensor(7)}, history={"seed": "3"})
    state = load_file(path)
    assert state["a"].dtype == torch.float16
    assert state["n"].item() == 7
    assert read_history(path) == {"seed": "3"}


@pytest.mark.parametrize("name", SHIPPED)
def test_card_describes_the_file_beside_it(name: str) -> None:
    card = (ASSETS / f"{name}.md").read_text()
    content = (ASSETS / f"{name}.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() in card
    assert len(content) <= 8_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_were_trained_on_the_present_world(name: str) -> None:
    assert read_history(ASSETS / f"{name}.safetensors")["data hash"] == world_digest()


def test_body_never_saw_a_class_that_any_split_withholds() -> None:
    withheld = {name for split in ("toybox", "toybox_tune") for name in load_split(split).unseen}
    assert not withheld & set(always_seen())
    assert f"{', '.join(always_seen())}." in (ASSETS / "toy_body.md").read_text()
