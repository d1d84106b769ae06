"""Queries of classes that know the image: the relationship descriptor of ZegCLIP (arXiv 2212.03588, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from methods.blocks.mask_decoder.config import QueryFormat

Relation = Callable[[Tensor, Tensor], Tensor]

RELATIONS: Mapping[str, Relation] = {
    "product": lambda image, text: image * text,
    "difference": lambda image, text: (image - text).abs(),
    "image": lambda image, text: image.expand(torch.broadcast_shapes(image.shape, text.shape)),
    "text": lambda image, text: text.expand(torch.broadcast_shapes(image.shape, text.shape)),
}
"""Parts of `QueryFormat`: embeddings (..., D) of images and classes to (..., D)."""


class ClassQueries(nn.Module):
    """Linear map of class embeddings and their relation to the embedding of an image.

    Args:
        dimension: Length D of an embedding and a query.
        format: Input of the map, `QueryFormat`.
    """

    def __init__(self, dimension: int, *, format: QueryFormat) -> None:
        super().__init__()
        self._relations = [RELATIONS[part] for part in format.split(", ")]
        self.project = nn.Linear(len(self._relations) * dimension, dimension)

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """Compute queries.

        Args:
            image: Embeddings of images, (B, D).
            text: Embeddings of classes, (..., D), such as (K, D).

        Returns:
            (B, ..., D).
        """
        image = image.reshape(len(image), *(1 for _ in text.shape[:-1]), -1)  # (B, 1, ..., D)
        queries: Tensor = self.project(torch.cat([relation(image, text[None]) for relation in self._relations], dim=-1))
        return queries
