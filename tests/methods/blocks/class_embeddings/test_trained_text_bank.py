"""Class embeddings of a text encoder that is trained: what they are, and when they are computed again."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmark.core.prompts import Prompts
from methods.blocks import ClipConfig, load_clip
from methods.blocks.class_embeddings.text_encoder import encode_class_names
from methods.blocks.class_embeddings.tokenizers import ClipTokenizer
from methods.blocks.class_embeddings.trained_text_bank import TrainedTextBank, take_text_encoder
from methods.blocks.cost_aggregation import FineTuningConfig, fine_tune_text_encoder

PROMPTS = Prompts(templates=("a photo of {}", "many {}"))
NAMES = ("a cat", "grass", "a dog")


@pytest.fixture
def bank() -> TrainedTextBank:
    clip = take_text_encoder(load_clip(ClipConfig(model="toy-ViT-8", weights="toy")))
    fine_tune_text_encoder(clip, FineTuningConfig(rate=1))
    bank = TrainedTextBank(clip, prompts=PROMPTS, tokenizer=ClipTokenizer())
    bank.set_classes(NAMES)
    return bank


def _change_weights(bank: TrainedTextBank) -> None:
    with torch.no_grad():
        for update in bank.parameters():
            if update.requires_grad:
                update.data += 0.1


def test_embeddings_of_an_untrained_encoder_are_those_of_the_frozen_one(bank: TrainedTextBank) -> None:
    clip: Any = load_clip(ClipConfig(model="toy-ViT-8", weights="toy"))
    expected = encode_class_names(clip, NAMES, prompts=PROMPTS)
    torch.testing.assert_close(bank.eval()(), expected)
    torch.testing.assert_close(bank.train()().detach(), expected)


def test_embeddings_have_gradients_in_training_alone(bank: TrainedTextBank) -> None:
    assert bank.train()().requires_grad and not bank.eval()().requires_grad


def test_embeddings_are_kept_in_evaluation_until_a_step_of_training(bank: TrainedTextBank) -> None:
    first = bank.eval()()
    assert bank() is first
    bank.train()()
    _change_weights(bank)
    assert not torch.allclose(bank.eval()(), first)


def test_loaded_weights_and_other_names_replace_embeddings(bank: TrainedTextBank) -> None:
    first = bank.eval()()
    state = {name: value + 0.1 if name.endswith("update") else value for name, value in bank.state_dict().items()}
    torch.nn.ModuleDict({"text": bank}).load_state_dict({f"text.{name}": value for name, value in state.items()})
    second = bank()
    assert not torch.allclose(second, first)
    bank.set_classes(NAMES[::-1])
    torch.testing.assert_close(bank(), second.flip(0))


def test_texts_that_are_too_long_and_empty_vocabularies_are_refused(bank: TrainedTextBank) -> None:
    with pytest.raises(ValueError, match=r"class 'a a a.* is longer than the 24 tokens"):
        bank.set_classes(["a " * 30])
    with pytest.raises(ValueError, match="the vocabulary is empty"):
        bank.set_classes([])
