"""Embeddings of several texts of each class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmark.core.train_split import ClassTexts
from methods.blocks.class_embeddings.text_encoder import ClipTextEncoder
from methods.blocks.class_embeddings.tokenizers import build_tokenizer
from methods.blocks.clip.config import Clip, ClipConfig
from methods.blocks.prompt_texts import TemplatePromptsConfig, select_texts
from methods.blocks.prompted_clip import Vocabulary


class TemplateTexts(Vocabulary):
    """Embeddings of the current vocabulary in each of several templates, from CLIP's text encoder.

    Args:
        clip: A frozen CLIP, which does not become a submodule: it is not trained, moved or counted.
        clip_config: Config of the CLIP, which decides on its tokenizer.
        texts: Texts of the split, of which only the aliases of the classes are used.
        templates: T templates with exactly one {} each.

    Raises:
        ValueError: A template does not have exactly one {}.
    """

    embeddings: Tensor

    def __init__(self, clip: Clip, clip_config: ClipConfig, texts: ClassTexts, templates: Sequence[str]) -> None:
        super().__init__()
        tokenizer = build_tokenizer(clip_config)
        prompts = [TemplatePromptsConfig(templates=(template,)) for template in templates]
        self._sources = [ClipTextEncoder(clip, select_texts(config, texts), tokenizer) for config in prompts]
        self.register_buffer("embeddings", torch.empty(0), persistent=False)

    def set_classes(self, names: Sequence[str]) -> None:
        """Change the vocabulary.

        Raises:
            ValueError: The vocabulary is empty, or an embedding cannot be computed.
        """
        if not names:
            raise ValueError("the vocabulary is empty: give at least one class name")
        vectors = torch.stack([source.embed(names) for source in self._sources], dim=1)  # (K, T, D)
        self.embeddings = vectors.to(self.embeddings.device)

    def forward(self) -> Tensor:
        """Return the embeddings of the vocabulary, (K, T, D) unit vectors.

        Raises:
            RuntimeError: `set_classes` has not been called.
        """
        if not len(self.embeddings):
            raise RuntimeError("no vocabulary yet: call set_classes(names) first")
        return self.embeddings
