"""Tokens that stand for CLIP's class token in the CLIP Semantic Head, where CLIP's first blocks are not run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from methods.blocks.heads.adapter import set_linear
from methods.blocks.ridge import Ridge


class ClassTokenSource(nn.Module, ABC):
    """Source of T class tokens of an image; T is 0 or 1.

    Attributes:
        count: T.
    """

    count: int

    @abstractmethod
    def forward(self, mean_features: Tensor) -> Tensor:
        """Compute class tokens from the mean features of images, (B, C) to (B, T, width)."""

    @abstractmethod
    def fit(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Fit the trained values to CLIP in closed form.

        Args:
            pairs: Mean features (B, C) and class tokens without their positions (B, width) of the same images.
        """


class MeanFeatureToken(ClassTokenSource):
    """Trained linear map of the mean feature.

    Args:
        channels: Number C of feature channels.
        width: Length of a token.
    """

    count = 1

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, width)

    def forward(self, mean_features: Tensor) -> Tensor:
        """Map mean features (B, C) to (B, 1, width)."""
        tokens: Tensor = self.linear(mean_features)
        return tokens.unsqueeze(1)

    def fit(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Regress CLIP's class tokens on the mean features.

        Args:
            pairs: See `ClassTokenSource.fit`.
        """
        ridge = Ridge(penalty=0.1)
        for mean_features, class_tokens in pairs:
            ridge.add(mean_features, class_tokens)
        set_linear(self.linear, *ridge.solve())


class LearnedToken(ClassTokenSource):
    """One trained vector, the same for all images.

    Args:
        embedding: (width,) CLIP's own class embedding, the value until `fit` is called.
    """

    count = 1

    def __init__(self, embedding: Tensor) -> None:
        super().__init__()
        self.embedding = nn.Parameter(embedding.detach().clone())

    def forward(self, mean_features: Tensor) -> Tensor:
        """Repeat the vector for each image, (B, C) to (B, 1, width)."""
        return self.embedding.expand(len(mean_features), 1, -1)

    def fit(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Set the vector to the mean of CLIP's class tokens.

        Args:
            pairs: See `ClassTokenSource.fit`.
        """
        with torch.no_grad():
            self.embedding.copy_(torch.cat([class_tokens for _, class_tokens in pairs]).mean(dim=0))


class NoClassToken(ClassTokenSource):
    """No token, so that patches attend to patches only.

    Args:
        width: Length of a token.
    """

    count = 0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, mean_features: Tensor) -> Tensor:
        """Return no tokens, (B, C) to (B, 0, width)."""
        return mean_features.new_zeros(len(mean_features), 0, self.width)

    def fit(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Fit nothing.

        Args:
            pairs: Not used.
        """
