"""Learned prompts: trained token embeddings before each class name, through CLIP's frozen text encoder.

As in zsseg (arXiv 2112.14757), which follows CoOp (arXiv 2109.01134): start, P learned tokens shared by all classes,
the tokens of the class name, a period and the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.train_split import ClassTexts
from methods.blocks.class_embeddings.tokenizers import ClipTokenizer, get_text_dimension
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.config import AnyClipConfig, Clip
from methods.blocks.prompt_texts import find_nouns

INITIAL_STD = 0.02
NUM_OTHER_TOKENS = 4
"""Least number of tokens beside the learned ones: start, one of a class name, period and end."""


class LearnedPromptsConfig(Config):
    """Prompts that are trained on the labeled regions of training images.

    Attributes:
        prefix: Number P of learned tokens.
    """

    kind: Literal["learned"] = "learned"
    prefix: int = Field(default=16, ge=1)


class LearnedPrompts(nn.Module):
    """Class embeddings of the current vocabulary from learned prompts.

    Args:
        clip: A frozen CLIP with OpenAI's tokenizer.
        texts: Texts of the split, whose aliases replace class names.
        prefix: Number P of learned tokens.

    Attributes:
        dimension: Length D of an embedding.
    """

    tokens: Tensor
    ends: Tensor
    attn_mask: Tensor
    positional_embedding: Tensor
    text_projection: Any

    def __init__(self, clip: Clip, texts: ClassTexts, *, prefix: int) -> None:
        super().__init__()
        encoder: Any = getattr(clip, "text", clip)
        self.dimension, self.length = get_text_dimension(clip), int(encoder.context_length)
        self.token_embedding, self.transformer = encoder.token_embedding, encoder.transformer
        self.ln_final, self.positional_embedding = encoder.ln_final, encoder.positional_embedding
        self.text_projection = encoder.text_projection
        self.prefix = nn.Parameter(INITIAL_STD * torch.randn(prefix, encoder.token_embedding.embedding_dim))
        self.register_buffer("attn_mask", encoder.attn_mask, persistent=False)
        self.register_buffer("tokens", torch.empty(0, dtype=torch.long), persistent=False)
        self.register_buffer("ends", torch.empty(0, dtype=torch.long), persistent=False)
        self._texts, self._tokenizer = texts, ClipTokenizer()
        self._embedded: tuple[Tensor, Tensor] | None = None

    def set_classes(self, names: Sequence[str]) -> None:
        """Change the vocabulary.

        Args:
            names: At least one class name.

        Raises:
            ValueError: The vocabulary is empty, or a name has too many tokens.
        """
        if not names:
            raise ValueError("the vocabulary is empty: give at least one class name")
        rows = [self._tokenize(name) for name in names]
        device = self.tokens.device
        self.ends = torch.tensor([len(row) - 1 for row in rows], device=device)
        self.tokens = torch.tensor([row + [0] * (self.length - len(row)) for row in rows], device=device)
        self._embedded = None

    def forward(self) -> Tensor:
        """Return the embeddings of the vocabulary, (K, D) unit vectors with gradients.

        Without gradients, embeddings are computed once for each state of the learned tokens.

        Raises:
            RuntimeError: `set_classes` has not been called.
        """
        if not len(self.tokens):
            raise RuntimeError("no vocabulary yet: call set_classes(names) first")
        if torch.is_grad_enabled() and self.prefix.requires_grad:
            return self._embed()
        if self._embedded is None or not torch.equal(self._embedded[0], self.prefix):
            self._embedded = (self.prefix.detach().clone(), self._embed().detach())
        return self._embedded[1].to(self.prefix.device)

    def _embed(self) -> Tensor:
        """Encode the vocabulary: (K, D)."""
        with torch.autocast(self.prefix.device.type, enabled=False):
            embedded = self.token_embedding(self.tokens)  # (K, L, C)
            count, learned = len(self.prefix), self.prefix.expand(len(embedded), -1, -1)
            tokens = torch.cat([embedded[:, :1], learned, embedded[:, 1 + count :]], dim=1) + self.positional_embedding
            encoded = self.ln_final(self.transformer(tokens, attn_mask=self.attn_mask))
            last = encoded[torch.arange(len(encoded), device=encoded.device), self.ends]
            is_layer = isinstance(self.text_projection, nn.Module)
            return F.normalize(self.text_projection(last) if is_layer else last @ self.text_projection, dim=1)

    def _tokenize(self, name: str) -> list[int]:
        """Return start, P placeholders, the tokens of a name, period and end."""
        noun = ", ".join(find_nouns(self._texts, name))
        ids = self._tokenizer.tokenize([noun, "X."], length=self.length).ids
        start, *words = ids[0][: int(ids[0].argmax())].tolist()
        period, end = ids[1, 2:4].tolist()
        row = [start, *[0] * len(self.prefix), *words, period, end]
        if len(row) > self.length:
            raise ValueError(
                f"class {name!r}: {len(words)} tokens of {noun!r} after {len(self.prefix)} learned ones are more than "
                f"the {self.length} that this CLIP reads: shorten its alias or learn fewer tokens"
            )
        return row


def check_learned_prompts_fit(config: LearnedPromptsConfig, clip_config: AnyClipConfig, *, setting: str) -> None:
    """Check that a CLIP has the tokenizer that learned prompts need, and reads as many tokens.

    Args:
        config: Learned prompts.
        clip_config: CLIP whose text encoder reads them.
        setting: Name of the number of learned tokens in the config of the method, for the message.

    Raises:
        ValueError: The CLIP has its own tokenizer, or reads fewer tokens.
    """
    architecture = read_architecture(clip_config.model)
    if architecture.tokenizer:
        raise ValueError(
            f"{config.prefix} learned tokens need a CLIP with OpenAI's tokenizer, and {clip_config.model} has its own: "
            "choose another clip.model, or kind: templates"
        )
    most = architecture.context_length - NUM_OTHER_TOKENS
    if config.prefix > most:
        raise ValueError(
            f"{setting} is {config.prefix}, expected at most {most}: {clip_config.model} reads "
            f"{architecture.context_length} tokens, {NUM_OTHER_TOKENS} or more of them for a class name and around it"
        )
