"""Learned prompts, and other templates around the names of a split."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.core.prompts import Prompts
from benchmark.core.train_split import ClassTexts
from methods.blocks.class_embeddings.tokenizers import ClipTokenizer
from methods.blocks.clip import load_clip
from methods.blocks.learned_prompts import LearnedPrompts
from methods.blocks.prompt_texts import SCULPTURE, TemplatePromptsConfig, find_nouns, select_texts
from methods.blocks.toy import TOY_CLIP_CONFIG

CLIP = load_clip(TOY_CLIP_CONFIG)
TEXTS = ClassTexts(Prompts(templates=("a photo of a {}.", "the {}"), aliases={"tv": "screen, monitor"}), ["cat"])


def make_prompts(*, prefix: int = 3) -> LearnedPrompts:
    return LearnedPrompts(CLIP, TEXTS, prefix=prefix)


def test_prompts_whose_tokens_are_those_of_a_text_embed_this_text() -> None:
    prompts = make_prompts()
    ids = ClipTokenizer().tokenize(["the red toy cat."], length=CLIP.context_length).ids
    with torch.no_grad():
        prompts.prefix.copy_(CLIP.token_embedding(ids[0, 1:4]))
        prompts.set_classes(["cat"])
        torch.testing.assert_close(prompts(), F.normalize(CLIP.encode_text(ids), dim=1))


def test_only_the_learned_tokens_have_gradients() -> None:
    prompts = make_prompts()
    prompts.set_classes(["cat", "tv"])
    prompts().sum().backward()
    assert [name for name, value in prompts.named_parameters() if value.grad is not None] == ["prefix"]


def test_embeddings_without_gradients_follow_the_learned_tokens() -> None:
    prompts = make_prompts()
    prompts.set_classes(["cat", "tv"])
    with torch.no_grad():
        first = prompts()
        assert prompts() is first
        nn.init.ones_(prompts.prefix)
        second = prompts()
    assert not torch.allclose(first, second) and torch.allclose(second, prompts(), atol=1e-6)


def test_a_name_with_too_many_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match=r"class 'tv': 3 tokens of 'screen, monitor' after 19 learned ones"):
        make_prompts(prefix=19).set_classes(["tv"])


def test_other_templates_keep_the_aliases_of_the_split() -> None:
    assert select_texts(SCULPTURE, TEXTS).texts("tv") == ("a sculpture of a screen, monitor.",)
    assert select_texts(TemplatePromptsConfig(), TEXTS) is TEXTS


def test_averaged_synonyms_are_several_nouns() -> None:
    prompts = Prompts(templates=("a {}.", "{}"), aliases={"tv": "screen, monitor"}, synonyms="averaged")
    texts = ClassTexts(prompts, [])
    assert find_nouns(texts, "tv") == ("screen", "monitor")
    pair = TemplatePromptsConfig(templates=("the {}", "my {}"))
    assert select_texts(pair, texts).texts("tv") == ("the screen", "my screen", "the monitor", "my monitor")


def test_templates_may_be_the_name_of_a_file() -> None:
    assert TemplatePromptsConfig.model_validate({"templates": "sculpture"}) == SCULPTURE
    with pytest.raises(ValueError, match="needs exactly one"):
        TemplatePromptsConfig(templates=("a photo",))
