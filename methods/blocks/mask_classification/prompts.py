"""Class embeddings from fixed or learned prompts, as a part of a method."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from benchmark.core.train_split import ClassTexts
from methods.blocks.class_embeddings import TextBank, build_tokenizer
from methods.blocks.class_embeddings.text_encoder import ClipTextEncoder
from methods.blocks.clip.config import AnyClipConfig, Clip
from methods.blocks.learned_prompts import LearnedPrompts, LearnedPromptsConfig
from methods.blocks.prompt_texts import TemplatePromptsConfig, select_texts

TextPromptsConfig = Annotated[TemplatePromptsConfig | LearnedPromptsConfig, Field(discriminator="kind")]
"""Config of prompts: fixed templates, or learned ones."""


def build_text(
    prompts: TemplatePromptsConfig | LearnedPromptsConfig, *, clip: Clip, clip_config: AnyClipConfig, texts: ClassTexts
) -> LearnedPrompts | TextBank:
    """Build the class embeddings of a vocabulary.

    Args:
        prompts: Fixed or learned prompts.
        clip: A frozen CLIP.
        clip_config: Its config.
        texts: Texts of the split.
    """
    if isinstance(prompts, LearnedPromptsConfig):
        return LearnedPrompts(clip, texts, prefix=prompts.prefix)
    return TextBank(ClipTextEncoder(clip, select_texts(prompts, texts), build_tokenizer(clip_config)))
