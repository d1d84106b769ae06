"""Embeddings of the current vocabulary, and the interface of their sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class ClassEmbeddings(Protocol):
    """A source of unit vectors for class names."""

    @property
    def dimension(self) -> int:
        """Length D of a vector."""

    def embed(self, names: Sequence[str]) -> Tensor:
        """Return the embeddings of K class names, (K, D) float32 unit vectors on the CPU.

        Raises:
            KeyError: The source has no embedding for a name.
            ValueError: An embedding cannot be computed.
        """


class TextBank(nn.Module):
    """Class embeddings of the current vocabulary, as a module that follows its method to a device.

    The source itself is no submodule: it is not trained, moved or counted.

    Args:
        source: Source of the embeddings.

    Attributes:
        dimension: Length D of an embedding.
    """

    embeddings: Tensor

    def __init__(self, source: ClassEmbeddings) -> None:
        super().__init__()
        self._source = source
        self.dimension = source.dimension
        self.register_buffer("embeddings", torch.empty(0), persistent=False)

    def set_classes(self, names: Sequence[str]) -> None:
        """Change the vocabulary.

        Args:
            names: At least one class name.

        Raises:
            KeyError: The source has no embedding for a name.
            ValueError: The vocabulary is empty, or an embedding cannot be computed.
        """
        if not names:
            raise ValueError("the vocabulary is empty: give at least one class name")
        self.embeddings = self._source.embed(names).to(self.embeddings.device)

    def forward(self) -> Tensor:
        """Return the embeddings of the vocabulary, (K, D) unit vectors.

        Raises:
            RuntimeError: `set_classes` has not been called.
        """
        if not len(self.embeddings):
            raise RuntimeError("no vocabulary yet: call set_classes(names) first")
        return self.embeddings
