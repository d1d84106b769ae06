"""The text bank."""

from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from methods.blocks.clip import ClipConfig, load_clip
from methods.blocks.text import TextBank


@pytest.fixture(scope="module")
def clip() -> nn.Module:
    return load_clip(ClipConfig(model="toy-ViT-16", weights="random"))


def test_bank_equals_open_clip(clip: nn.Module) -> None:
    bank = TextBank(clip, template="a picture of {}")
    bank.set_classes(["grass", "a ball"])
    tokens = open_clip.SimpleTokenizer(context_length=24)(["a picture of grass", "a picture of a ball"])
    torch.testing.assert_close(bank(), F.normalize(clip.encode_text(tokens), dim=-1))


def test_text_tower_is_no_part_of_the_method(clip: nn.Module) -> None:
    assert not list(TextBank(clip, template="{}").parameters())


def test_bank_without_a_vocabulary_says_what_to_do(clip: nn.Module) -> None:
    with pytest.raises(RuntimeError, match="set_classes"):
        TextBank(clip, template="{}")()


def test_empty_vocabulary_is_refused(clip: nn.Module) -> None:
    with pytest.raises(ValueError, match="empty"):
        TextBank(clip, template="{}").set_classes([])


def test_misspelt_model_names_the_nearest() -> None:
    with pytest.raises(KeyError, match="did you mean 'ViT-B-16'"):
        load_clip(ClipConfig(model="ViT-B16"))


def test_wrong_activation_is_an_error_before_anything_is_fetched() -> None:
    with pytest.raises(ValueError, match=r"differ in their activation function.*-quickgelu"):
        load_clip(ClipConfig(model="ViT-B-16", weights="openai"))


def test_missing_weight_file_says_what_was_given() -> None:
    with pytest.raises(ValueError, match=r"no weights for toy-ViT-16 'nowhere\.pt'"):
        load_clip(ClipConfig(model="toy-ViT-16", weights="nowhere.pt"))


def test_truncated_weight_file_is_one_clear_line(tmp_path: Path) -> None:
    broken = tmp_path / "clip.safetensors"
    broken.write_bytes(b"\x10\x00")
    with pytest.raises(ValueError, match="cannot load weights"):
        load_clip(ClipConfig(model="toy-ViT-16", weights=str(broken)))
