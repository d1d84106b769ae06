"""Several texts of each class."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from benchmark.core.prompts import Prompts
from benchmark.core.train_split import ClassTexts
from methods.blocks import ClipConfig, load_clip
from methods.blocks.class_embeddings.text_encoder import encode_class_names
from methods.blocks.transport_decoder import TemplateTexts

CLIP = ClipConfig(model="toy-ViT-8", weights="toy")
TEMPLATES = ("a part of a {}.", "a photo of small {}.")
ALIASES = {"grass": "lawn, meadow"}


def make_texts(
    synonyms: Literal["joined", "averaged"] = "joined", templates: tuple[str, ...] = TEMPLATES
) -> TemplateTexts:
    split = Prompts(templates=("a {} there", "no {}"), aliases=ALIASES, synonyms=synonyms)
    return TemplateTexts(load_clip(CLIP), CLIP, ClassTexts(split, ["car"]), templates)


@pytest.mark.parametrize("synonyms", ["joined", "averaged"])
def test_the_aliases_of_the_split_are_in_each_template(synonyms: Literal["joined", "averaged"]) -> None:
    texts, names = make_texts(synonyms), ["car", "grass"]
    texts.set_classes(names)
    for index, template in enumerate(TEMPLATES):
        prompts = Prompts(templates=(template,), aliases=ALIASES, synonyms=synonyms)
        expected = encode_class_names(load_clip(CLIP), names, prompts=prompts)
        torch.testing.assert_close(texts()[:, index], expected)


def test_a_vocabulary_must_be_set_before_and_have_a_name() -> None:
    with pytest.raises(RuntimeError, match="call set_classes"):
        make_texts()()
    with pytest.raises(ValueError, match="the vocabulary is empty"):
        make_texts().set_classes([])


def test_a_template_without_a_place_for_the_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"template 'a photo' needs exactly one \{\}"):
        make_texts(templates=("a photo",))
