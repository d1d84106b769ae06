"""Tokenizers of CLIPs: OpenAI's, a model's own from the Hub, and a substitute for random weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from methods.blocks.class_embeddings.tokenizer_files import load_hub_tokenizer
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.assets import RANDOM
from methods.blocks.clip.config import AnyClipConfig, Clip

EOS = 2
"""Id that ends a text in `ByteTokenizer`; models that look for the end of a text expect this one."""


class TokenizedTexts(NamedTuple):
    """Texts as a text encoder reads them.

    Attributes:
        ids: (T, L) token ids.
        is_too_long: (T,) bool, whether a text has more than L tokens and was truncated.
    """

    ids: Tensor
    is_too_long: Tensor


class Tokenizer(ABC):
    """A map of texts to token ids."""

    @abstractmethod
    def tokenize(self, texts: Sequence[str], *, length: int) -> TokenizedTexts:
        """Tokenize T texts with at most `length` tokens."""


class ClipTokenizer(Tokenizer):
    """The tokenizer of OpenAI's CLIP, which is part of open_clip."""

    def tokenize(self, texts: Sequence[str], *, length: int) -> TokenizedTexts:
        """Tokenize texts; open_clip truncates silently, so each gets one column more than the encoder reads."""
        import open_clip  # not above: importing takes seconds, and planning encodes nothing

        longer: Tensor = open_clip.tokenize(list(texts), context_length=length + 1)
        ids, is_too_long = longer[:, :-1].clone(), longer[:, -1] != 0
        ids[is_too_long, -1] = longer[is_too_long, -1]  # the end of the text
        return TokenizedTexts(ids, is_too_long)


class HubTokenizer(Tokenizer):
    """A model's own tokenizer from the Hub (SigLIP, MetaCLIP 2), as open_clip uses it.

    Args:
        model: Name of the architecture in open_clip.

    Raises:
        ValueError: The package transformers or the files are missing; one line says what to do.
    """

    def __init__(self, model: str) -> None:
        self._tokenizer: Any = load_hub_tokenizer(model)

    def tokenize(self, texts: Sequence[str], *, length: int) -> TokenizedTexts:
        """Tokenize texts; one is too long if its last column is still text when it gets one column more."""
        inner = self._tokenizer.tokenizer
        longer: Tensor = self._tokenizer(list(texts), context_length=length + 1)
        ends = [some for some in (inner.eos_token_id, inner.sep_token_id, inner.pad_token_id, 0) if some is not None]
        is_too_long = ~torch.isin(longer[:, length - 1], torch.tensor(ends))
        return TokenizedTexts(self._tokenizer(list(texts), context_length=length), is_too_long)


class ByteTokenizer(Tokenizer):
    """UTF-8 bytes as ids: a substitute for a model's own tokenizer if the weights are random.

    Embeddings of random weights mean nothing with any tokenizer; this one needs no download and gives different texts
    different ids.
    """

    def tokenize(self, texts: Sequence[str], *, length: int) -> TokenizedTexts:
        """Tokenize texts: bytes, then the end and zeros."""
        rows = [[byte + EOS + 1 for byte in text.encode()] for text in texts]
        ids = torch.zeros(len(rows), length, dtype=torch.long)
        for row, numbers in zip(ids, rows, strict=True):
            kept = [*numbers[: length - 1], EOS]
            row[: len(kept)] = torch.tensor(kept)
        return TokenizedTexts(ids, torch.tensor([len(numbers) >= length for numbers in rows]))


def build_tokenizer(clip_config: AnyClipConfig) -> Tokenizer:
    """Return the tokenizer of a CLIP.

    Raises:
        ValueError: The CLIP has its own tokenizer, and the package transformers or the files are missing.
    """
    if not read_architecture(clip_config.model).tokenizer:
        return ClipTokenizer()
    return ByteTokenizer() if clip_config.weights == RANDOM else HubTokenizer(clip_config.model)


def get_text_dimension(clip: Clip) -> int:
    """Return the length D of a text embedding of an open_clip model."""
    encoder: Any = getattr(clip, "text", clip)
    projection = encoder.text_projection
    return int(projection.out_features if hasattr(projection, "out_features") else projection.shape[1])
