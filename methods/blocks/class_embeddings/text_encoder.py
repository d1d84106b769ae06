"""CLIP's text encoder as a source of class embeddings, cached on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.prompts import Prompts
from benchmark.core.train_split import ClassTexts
from benchmark.utils.array_cache import load_arrays, save_arrays
from benchmark.utils.frozen_model import format_canonical_json
from methods.blocks.class_embeddings.tokenizers import ClipTokenizer, TokenizedTexts, Tokenizer, get_text_dimension
from methods.blocks.clip.config import Clip

BATCH = 256
"""Number of texts encoded at once, which limits the memory. Vocabularies of up to this size take one forward pass."""

PROBES = ("a photo of a cat", "grass", "the quick brown fox jumps over the lazy dog", "12")
"""Texts whose embeddings distinguish text encoders, including the arithmetic of the machine they run on."""


@torch.no_grad()
def encode_class_names(
    clip: Clip, names: Sequence[str], *, prompts: Prompts | ClassTexts, tokenizer: Tokenizer | None = None
) -> Tensor:
    """Encode class names: normalize the embeddings of all texts of a class, average them, normalize the mean.

    The embedding of a class with a single text is not normalized a second time.

    Args:
        clip: A frozen open_clip CLIP.
        names: K class names.
        prompts: Texts of each class name.
        tokenizer: Tokenizer of the CLIP; None for that of OpenAI's.

    Returns:
        (K, D) float32 unit vectors.

    Raises:
        ValueError: A class has no text, or a text that is too long for the encoder; the message names the class.
    """
    texts = [(owner, text) for owner, name in enumerate(names) for text in prompts.texts(name)]
    owners = torch.tensor([owner for owner, _ in texts], dtype=torch.long)
    counts = owners.bincount(minlength=len(names))
    if not counts.all():
        raise ValueError(f"class {names[int(counts.argmin())]!r} has no text: its alias is empty")
    sums = torch.zeros(len(names), get_text_dimension(clip))
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        tokenized = (tokenizer or ClipTokenizer()).tokenize([text for _, text in batch], length=clip.context_length)
        _check_length(tokenized, clip, batch=[(names[owner], text) for owner, text in batch])
        sums.index_add_(0, owners[start : start + BATCH], _encode(clip, tokenized.ids))
    return torch.where(counts[:, None] > 1, F.normalize(sums, dim=-1), sums)


def _check_length(tokenized: TokenizedTexts, clip: Clip, *, batch: Sequence[tuple[str, str]]) -> None:
    """Refuse texts that a text encoder does not read to the end.

    Args:
        tokenized: T texts.
        clip: CLIP of the text encoder.
        batch: Class and text of each.
    """
    if tokenized.is_too_long.any():
        name, text = batch[int(tokenized.is_too_long.int().argmax())]
        raise ValueError(
            f"class {name!r}: the text {text!r} is longer than the {clip.context_length} tokens this "
            "CLIP reads: shorten its alias or the template"
        )


def _encode(clip: Clip, tokens: Tensor) -> Tensor:
    """Encode token ids (T, L) as unit vectors (T, D)."""
    with torch.autocast("cpu", enabled=False):
        return F.normalize(clip.encode_text(tokens).float(), dim=-1)


@dataclass(frozen=True, eq=False)
class ClipTextEncoder:
    """Class embeddings from a CLIP's text encoder, cached on disk across runs.

    The encoder runs on the CPU, once for each vocabulary. The cache key contains the SHA-256 of the encoder's weights,
    its embeddings of probe texts (which depend on tokenizer, activation function, number of heads and the arithmetic of
    the machine), and all texts by class. A cached embedding is therefore bit-identical to a newly computed one.

    Attributes:
        clip: A frozen open_clip CLIP.
        prompts: Texts of each class name.
        tokenizer: Tokenizer of the CLIP.
    """

    clip: Clip
    prompts: Prompts | ClassTexts
    tokenizer: Tokenizer = field(default_factory=ClipTokenizer)

    @property
    def dimension(self) -> int:
        """Length D of a vector."""
        return get_text_dimension(self.clip)

    def embed(self, names: Sequence[str]) -> Tensor:
        """Return the embeddings of K class names, (K, D) unit vectors.

        Raises:
            ValueError: A class has no text, or a text that is too long for the encoder.
        """
        key = self._make_cache_key(names)
        cached = load_arrays(key)
        if cached is not None:
            return torch.from_numpy(cached["vectors"])
        vectors = encode_class_names(self.clip, names, prompts=self.prompts, tokenizer=self.tokenizer)
        save_arrays(key, {"vectors": vectors.numpy()})
        return vectors

    def _make_cache_key(self, names: Sequence[str]) -> str:
        texts = [self.prompts.texts(name) for name in names]
        inputs = [self._identity, torch.__version__, torch.get_num_threads(), BATCH, texts]
        return f"class_embeddings/{hashlib.sha256(format_canonical_json(inputs).encode()).hexdigest()}"

    @cached_property
    def _identity(self) -> str:
        """SHA-256 of the encoder's weights and of its embeddings of the probes."""
        digest = hashlib.sha256()
        for name, value in self.clip.state_dict().items():
            if not name.startswith("visual."):
                digest.update(f"{name} {value.dtype} {tuple(value.shape)}\0".encode())
                digest.update(value.numpy(force=True).tobytes())
        probes = encode_class_names(self.clip, PROBES, prompts=Prompts(templates=("{}",)), tokenizer=self.tokenizer)
        digest.update(probes.numpy().tobytes())
        return digest.hexdigest()
