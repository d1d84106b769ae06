"""The toy weights that are included in the package, and their model cards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from methods.blocks.clip.assets import ASSETS
from methods.pretrain.command import hash_body_images, hash_clip_images
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
    assert len(content) <= 16_000_000


@pytest.mark.parametrize(("name", "hash_images"), [("toy_clip", hash_clip_images), ("toy_body", hash_body_images)])
def test_the_weights_were_trained_on_the_images_of_today(name: str, hash_images: Callable[[], str]) -> None:
    assert read_history(ASSETS / f"{name}.safetensors")["data hash"] == hash_images()
