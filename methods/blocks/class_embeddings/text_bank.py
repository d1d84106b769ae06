"""CLIP's text tower as a source of words, and the text bank: the words of the present vocabulary."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core.prompts import Prompts
from benchmark.utils.array_cache import keep_arrays, load_arrays
from benchmark.utils.frozen_model import canonical_json
from methods.blocks.clip.config import Clip

BATCH = 256
"""Texts that are encoded at once: it bounds the memory. Vocabularies within it are encoded in one go."""

PROBES = ("a photo of a cat", "grass", "the quick brown fox jumps over the lazy dog", "12")
"""Texts whose vectors tell towers, and the arithmetic of machines, apart."""


class Words(Protocol):
    """A source of unit vectors for class names."""

    @property
    def dimension(self) -> int:
        """Length D of a vector."""

    def vectors(self, names: Sequence[str]) -> Tensor:
        """(K, D) unit vectors, float32, on the CPU. Raises KeyError or ValueError for a name that has none."""


@torch.no_grad()
def encode_names(clip: Clip, names: Sequence[str], *, prompts: Prompts) -> Tensor:
    """Unit text vectors of class names: normalise every text of a class, take the mean, normalise.

    A class with one text is left as that text's vector, not normalised a second time.

    Args:
        clip: a frozen open_clip CLIP.
        names: K class names.
        prompts: the texts that stand for a name.

    Returns:
        (K, D) float32.

    Raises:
        ValueError: a class has no text, or one that is longer than the tower reads; names the class.
    """
    texts = [(owner, text) for owner, name in enumerate(names) for text in prompts.texts(name)]
    owners = torch.tensor([owner for owner, _ in texts], dtype=torch.long)
    counts = owners.bincount(minlength=len(names))
    if not counts.all():
        raise ValueError(f"class {names[int(counts.argmin())]!r} has no text: its wording is empty")
    sums = torch.zeros(len(names), clip.text_projection.shape[1])
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        tokens = _tokens(clip, [text for _, text in batch], classes=[names[owner] for owner, _ in batch])
        sums.index_add_(0, owners[start : start + BATCH], _unit_vectors(clip, tokens))
    return torch.where(counts[:, None] > 1, F.normalize(sums, dim=-1), sums)


def _tokens(clip: Clip, texts: Sequence[str], *, classes: Sequence[str]) -> Tensor:
    """(T, L) token ids. open_clip cuts longer texts without a word; a column too many shows which would be."""
    import open_clip  # not above: it takes seconds, and a plan encodes nothing

    tokens: Tensor = open_clip.tokenize(list(texts), context_length=clip.context_length + 1)
    too_long = tokens[:, -1] != 0
    if too_long.any():
        first = int(too_long.int().argmax())
        raise ValueError(
            f"class {classes[first]!r}: the text {texts[first]!r} is longer than the {clip.context_length} tokens this "
            "CLIP reads: shorten its wording or the template"
        )
    return tokens[:, :-1]


def _unit_vectors(clip: Clip, tokens: Tensor) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        return F.normalize(clip.encode_text(tokens).float(), dim=-1)


@dataclass(frozen=True, eq=False)
class Tower:
    """The words that a CLIP's text tower gives, kept on disk from run to run.

    The tower works on the CPU, once for each vocabulary. What is kept is found under the SHA-256 of the tower's
    weights, what it answers to probes (activation, heads, the arithmetic of this machine), and all texts by class; so a
    kept vector is, bit for bit, the one that would be computed.
    """

    clip: Clip
    prompts: Prompts

    @property
    def dimension(self) -> int:
        """Length D of a vector: the width of the joint space."""
        return int(self.clip.text_projection.shape[1])

    def vectors(self, names: Sequence[str]) -> Tensor:
        """(K, D) unit vectors. Raises like `encode_names`."""
        key = self._key(names)
        kept = load_arrays(key)
        if kept is not None:
            return torch.from_numpy(kept["vectors"])
        vectors = encode_names(self.clip, names, prompts=self.prompts)
        keep_arrays(key, {"vectors": vectors.numpy()})
        return vectors

    def _key(self, names: Sequence[str]) -> str:
        texts = [self.prompts.texts(name) for name in names]
        what = [self._identity, torch.__version__, torch.get_num_threads(), BATCH, texts]
        return f"words/{hashlib.sha256(canonical_json(what).encode()).hexdigest()}"

    @cached_property
    def _identity(self) -> str:
        """SHA-256 of the weights that text passes through, and of the probes' vectors."""
        digest = hashlib.sha256()
        for name, value in self.clip.state_dict().items():
            if not name.startswith("visual."):
                digest.update(f"{name} {value.dtype} {tuple(value.shape)}\0".encode())
                digest.update(value.numpy(force=True).tobytes())
        digest.update(encode_names(self.clip, PROBES, prompts=Prompts(templates=("{}",))).numpy().tobytes())
        return digest.hexdigest()


class TextBank(nn.Module):
    """Text vectors of the present vocabulary. Their source is not trained, moved to a device or counted."""

    embeddings: Tensor

    def __init__(self, words: Words) -> None:
        super().__init__()
        self._words = words
        self.dimension = words.dimension
        self.register_buffer("embeddings", torch.empty(0), persistent=False)

    def set_classes(self, names: Sequence[str]) -> None:
        """Look up a vocabulary. Raises ValueError for an empty one, and whatever its source raises."""
        if not names:
            raise ValueError("the vocabulary is empty: give at least one class name")
        self.embeddings = self._words.vectors(names).to(self.embeddings.device)

    def forward(self) -> Tensor:
        """(K, D) unit vectors. Raises RuntimeError before the first `set_classes`."""
        if not len(self.embeddings):
            raise RuntimeError("no vocabulary yet: call set_classes(names) first")
        return self.embeddings
