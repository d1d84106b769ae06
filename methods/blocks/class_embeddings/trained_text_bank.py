"""Embeddings of the current vocabulary from a text encoder that is trained: `TextBank` with a part that learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core.prompts import Prompts
from benchmark.core.train_split import ClassTexts
from methods.blocks.class_embeddings.tokenizers import Tokenizer, get_text_dimension
from methods.blocks.clip.config import Clip


class TrainedTextBank(nn.Module):
    """Class embeddings from a text encoder that is part of the method, moves with it and is trained with it.

    In training, every call encodes the vocabulary again, with gradients. In evaluation, the embeddings are kept until
    the vocabulary, the weights or the device change. Weights change by a training step, before which the bank is called
    in training mode, or by a loaded state; an optimizer does not count its writes in the version of a tensor.

    Args:
        clip: An open_clip CLIP without its image encoder, see `take_text_encoder`.
        prompts: Texts of each class name; their unit vectors are averaged, and the mean is normalized.
        tokenizer: Tokenizer of the CLIP.

    Attributes:
        dimension: Length D of an embedding.
        encoder: The text encoder.
    """

    tokens: Tensor
    owners: Tensor

    def __init__(self, clip: Clip, *, prompts: Prompts | ClassTexts, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.encoder = clip
        self.dimension = get_text_dimension(clip)
        self._prompts, self._tokenizer = prompts, tokenizer
        self._count = 0
        self._kept: Tensor | None = None
        self.register_buffer("tokens", torch.empty(0, dtype=torch.long), persistent=False)
        self.register_buffer("owners", torch.empty(0, dtype=torch.long), persistent=False)
        self.register_load_state_dict_post_hook(lambda module, _: module._forget())  # type: ignore[no-untyped-call]

    def set_classes(self, names: Sequence[str]) -> None:
        """Change the vocabulary.

        Args:
            names: At least one class name.

        Raises:
            ValueError: The vocabulary is empty, or a class has no text, or a text that is too long for the encoder.
        """
        if not names:
            raise ValueError("the vocabulary is empty: give at least one class name")
        texts = [(owner, text) for owner, name in enumerate(names) for text in self._prompts.texts(name)]
        owners = torch.tensor([owner for owner, _ in texts], dtype=torch.long)
        counts = owners.bincount(minlength=len(names))
        if not counts.all():
            raise ValueError(f"class {names[int(counts.argmin())]!r} has no text: its alias is empty")
        length = self.encoder.context_length
        tokenized = self._tokenizer.tokenize([text for _, text in texts], length=length)
        if tokenized.is_too_long.any():
            owner, text = texts[int(tokenized.is_too_long.int().argmax())]
            raise ValueError(
                f"class {names[owner]!r}: the text {text!r} is longer than the {length} tokens this CLIP reads: "
                "shorten its alias or the template"
            )
        self.tokens, self.owners = tokenized.ids.to(self.tokens.device), owners.to(self.tokens.device)
        self._count = len(names)
        self._forget()

    def forward(self) -> Tensor:
        """Return the embeddings of the vocabulary, (K, D) unit vectors.

        Raises:
            RuntimeError: `set_classes` has not been called.
        """
        if not self._count:
            raise RuntimeError("no vocabulary yet: call set_classes(names) first")
        if self.training:
            self._forget()
            return self._encode()
        if self._kept is None or self._kept.device != self.tokens.device:
            with torch.no_grad():
                self._kept = self._encode()
        return self._kept

    def _encode(self) -> Tensor:
        """Encode the texts of the vocabulary and average those of each class: (K, D)."""
        encoded = self.encoder.encode_text(self.tokens)
        vectors = F.normalize(encoded.to(torch.promote_types(encoded.dtype, torch.float32)), dim=-1)
        if len(vectors) == self._count:
            return vectors
        sums = vectors.new_zeros(self._count, self.dimension).index_add(0, self.owners, vectors)
        return F.normalize(sums, dim=-1)

    def _forget(self) -> None:
        self._kept = None


def take_text_encoder(clip: Any) -> Clip:
    """Remove the image encoder from an open_clip model, so that a method has no tensor twice; return the rest."""
    del clip.visual
    return clip
