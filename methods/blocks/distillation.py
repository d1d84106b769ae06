"""Selective Global Distillation (SGD): dense features learn from the CLS token, the most similar ones first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config, StepContext

Selection = Literal["top", "random", "bottom", "soft"]


class SgdConfig(Config):
    """Transfer of global knowledge to dense features.

    Attributes:
        weight: Weight of the loss.
        select: Positions to distill: "top" by cosine with the CLS token, "random", "bottom", or "soft" attention over
            all positions (softmax of CLS·F/√D, the authors' earlier rule).
        keep_start: Fraction of the positions that is selected at the first iteration.
        keep_end: Fraction of the positions that is selected at the last iteration.
        schedule: Course of the fraction in between.
        temperature: Temperature of the contrastive loss.
        bank: Number of CLS tokens of earlier images that serve as negatives; 0 for none.
        objective: "infonce" on the mean of the selected features, or "cosine" of each one with the CLS token.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"pick": "select"}

    weight: float = Field(default=1.0, gt=0)
    select: Selection = "top"
    keep_start: float = Field(default=1.0, gt=0, le=1)
    keep_end: float = Field(default=0.2, gt=0, le=1)
    schedule: Literal["cosine", "linear"] = "cosine"
    temperature: float = Field(default=0.07, gt=0)
    bank: int = Field(default=24, ge=0)
    objective: Literal["infonce", "cosine"] = "infonce"


def count_selected(config: SgdConfig, *, progress: float, positions: int) -> int:
    """Return the number of positions to select, at least one.

    Args:
        config: Fractions at the start and the end, and the schedule in between.
        progress: Progress of training, from 0 to 1.
        positions: Number N of positions in an image.
    """
    fall = (1 - math.cos(math.pi * progress)) / 2 if config.schedule == "cosine" else progress
    share = config.keep_start + (config.keep_end - config.keep_start) * fall
    return max(1, round(share * positions))


def weigh_positions(
    dense: Tensor, cls: Tensor, *, select: Selection, num_selected: int, generator: torch.Generator
) -> Tensor:
    """Weigh the positions of each image for the distillation.

    Args:
        dense: (B, N, D) unit vectors.
        cls: (B, D) unit vectors.
        select: Rule of the selection.
        num_selected: Number of positions to select; "soft" selects all of them.
        generator: Source of the "random" selection.

    Returns:
        (B, N), each row sums to 1.
    """
    similarity = torch.einsum("bnd,bd->bn", dense, cls)
    if select == "soft":
        return (similarity / math.sqrt(dense.shape[2])).softmax(dim=1)
    if select == "random":
        similarity = torch.rand(similarity.shape, generator=generator).to(similarity)
    indices = similarity.detach().topk(num_selected, dim=1, largest=select != "bottom").indices
    return torch.zeros_like(similarity).scatter(1, indices, 1 / num_selected)


class SelectiveGlobalDistillation(nn.Module):
    """InfoNCE between the mean of selected dense features and the CLS token (Chimera-Seg's SGD, reconstructed).

    Args:
        config: Selection, schedule and objective.
        dimension: Length D of features and CLS tokens.
    """

    bank: Tensor
    filled: Tensor

    def __init__(self, config: SgdConfig, *, dimension: int) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("bank", torch.zeros(config.bank, dimension))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def forward(self, dense: Tensor, cls: Tensor, *, step_context: StepContext) -> Tensor:
        """Compute the loss, then add the CLS tokens of the batch to the bank.

        Args:
            dense: (B, N, D) unit vectors.
            cls: (B, D) unit vectors of the frozen teacher.
            step_context: Progress and random draws of the iteration.

        Returns:
            () weighted loss.
        """
        config = self.config
        num_selected = count_selected(config, progress=step_context.progress, positions=dense.shape[1])
        generator = step_context.generator("sgd", "pick")  # part of the RNG key
        weights = weigh_positions(dense, cls, select=config.select, num_selected=num_selected, generator=generator)
        if config.objective == "cosine":
            loss = 1 - torch.einsum("bn,bnd,bd->b", weights, dense, cls).mean()
        else:
            loss = self._contrast(F.normalize(torch.einsum("bn,bnd->bd", weights, dense), dim=1), cls)
        self._remember(cls)
        return config.weight * loss

    def _contrast(self, pooled: Tensor, cls: Tensor) -> Tensor:
        """Compute InfoNCE between pooled features (B, D) and CLS tokens (B, D)."""
        candidates = torch.cat([cls, self.bank[: int(self.filled)]])  # the positives come first
        logits = pooled @ candidates.T / self.config.temperature
        return F.cross_entropy(logits, torch.arange(len(cls), device=cls.device))

    @torch.no_grad()
    def _remember(self, cls: Tensor) -> None:
        """Put CLS tokens (B, D) at the front of the bank and drop the oldest ones."""
        size = len(self.bank)
        self.bank.copy_(torch.cat([cls, self.bank])[:size])
        self.filled.copy_((self.filled + len(cls)).clamp_max(size))
