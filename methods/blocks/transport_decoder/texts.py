"""Embeddings of several texts of each class."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from benchmark.core.prompts import Prompts
from benchmark.core.train_split import ClassTexts
from methods.blocks.class_embeddings.text_encoder import ClipTextEncoder
from methods.blocks.class_embeddings.tokenizers import build_tokenizer
from methods.blocks.clip.config import Clip, ClipConfig
from methods.blocks.prompted_clip import Vocabulary


class TemplateTexts(Vocabulary):
    """Embeddings of the current vocabulary in each of several templates, from CLIP's text encoder.

    Args:
        clip: CLIP, which is no submodule: it is not trained, moved or counted.
        clip_config: Config of the CLIP, which decides on its tokenizer.
        prompts: Prompts of the split, of which only the aliases of the classes are used.
        templates: T templates with exactly one {} each.
    """

    embeddings: Tensor

    def __init__(self, clip: Clip, clip_config: ClipConfig, prompts: ClassTexts, templates: Sequence[str]) -> None:
        super().__init__()
        self._make_source = partial(ClipTextEncoder, clip, tokenizer=build_tokenizer(clip_config))
        self._prompts, self._templates = prompts, templates
        self.register_buffer("embeddings", torch.empty(0), persistent=False)

    def set_classes(self, names: Sequence[str]) -> None:
        """Change the vocabulary.

        Raises:
            ValueError: The vocabulary is empty, or an embedding cannot be computed.
        """
        if not names:
            raise ValueError("the vocabulary is empty: give at least one class name")
        aliases = {name: _find_alias(self._prompts, name) for name in names}
        all_prompts = [
            Prompts(templates=(template,), aliases=aliases, synonyms=self._prompts.synonyms)
            for template in self._templates
        ]
        vectors = [self._make_source(prompts=prompts).embed(names) for prompts in all_prompts]
        self.embeddings = torch.stack(vectors, dim=1).to(self.embeddings.device)

    def forward(self) -> Tensor:
        """Return the embeddings of the vocabulary, (K, T, D) unit vectors.

        Raises:
            RuntimeError: `set_classes` has not been called.
        """
        if not len(self.embeddings):
            raise RuntimeError("no vocabulary yet: call set_classes(names) first")
        return self.embeddings


def _find_alias(prompts: ClassTexts, name: str) -> str:
    """Return the alias of a class, or its name: what its texts have in place of the {} of the first template."""
    before, after = prompts.templates[0].split("{}")
    texts = prompts.texts(name)[:: len(prompts.templates)]
    return ", ".join(text.removeprefix(before).removesuffix(after) for text in texts)
