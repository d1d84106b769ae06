"""Selective Global Distillation (SGD): dense features learn from the CLS token, the most similar ones first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config, StepContext
from methods.blocks.embedding_bank import EmbeddingBank

Selection = Literal["top", "random", "bottom", "soft"]


class SgdConfig(Config):
    """Transfer of global knowledge to dense features.

    Attributes:
        weight: Weight of the loss.
        select: Positions to distill: "top" by cosine with the CLS token, "random", "bottom", or "soft" attention over
            all positions (softmax of CLS·F/√D, the authors' earlier rule, for vectors of length √D).
        keep_start: Fraction of the positions that is selected at the first iteration.
        keep_end: Fraction of the positions that is selected at the last iteration.
        schedule: Course of the fraction in between.
        temperature: Temperature of the contrastive loss.
        bank: Number of CLS tokens of earlier images that serve as negatives; 0 for none. They are never outdated,
            because the teacher is frozen.
        objective: "infonce" on the mean of the selected features, or "cosine" of each one with the CLS token.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"pick": "select"}

    weight: float = Field(default=1.0, gt=0)
    select: Selection = "top"
    keep_start: float = Field(default=1.0, gt=0, le=1)
    keep_end: float = Field(default=0.5, gt=0, le=1)
    schedule: Literal["cosine", "linear"] = "cosine"
    temperature: float = Field(default=0.07, gt=0)
    bank: int = Field(default=24, ge=0)
    objective: Literal["infonce", "cosine"] = "infonce"


def count_selected(config: SgdConfig, *, progress: float, positions: int) -> int:
    """Return the number of positions to select, at least one.

    Args:
        config: Fractions at the start and the end, and the schedule in between.
        progress: Progress of training, from 0 to 1.
        positions: Number of valid positions in an image.
    """
    fall = (1 - math.cos(math.pi * progress)) / 2 if config.schedule == "cosine" else progress
    share = config.keep_start + (config.keep_end - config.keep_start) * fall
    return max(1, round(share * positions))


def weigh_positions(
    dense: Tensor,
    cls: Tensor,
    *,
    is_valid: Tensor | None = None,
    select: Selection,
    num_selected: Sequence[int],
    generator: torch.Generator,
) -> Tensor:
    """Weigh the positions of each image for the distillation.

    Args:
        dense: (B, N, D) unit vectors.
        cls: (B, D) unit vectors.
        is_valid: (B, N) bool, positions to choose from; None for all.
        select: Rule of the selection.
        num_selected: Number of positions to select in each image; "soft" selects all valid ones.
        generator: Source of the "random" selection.

    Returns:
        (B, N), each row sums to 1.
    """
    excluded = torch.tensor(False, device=dense.device) if is_valid is None else ~is_valid
    similarity = torch.einsum("bnd,bd->bn", dense, cls)
    if select == "soft":  # vectors of length √D, whose entries are about 1: their CLS·F/√D is √D times the cosine
        return (similarity * math.sqrt(dense.shape[2])).masked_fill(excluded, -math.inf).softmax(dim=1)
    if select == "random":
        similarity = torch.rand(similarity.shape, generator=generator).to(similarity)
    # weight 1 / n for the n best ranks of each image, none for the others: (B, N)
    preference = -similarity.detach() if select == "bottom" else similarity.detach()
    order = preference.masked_fill(excluded, -math.inf).argsort(dim=1, descending=True)
    counts = torch.tensor(num_selected, device=dense.device).unsqueeze(1)
    rank_weights = (torch.arange(dense.shape[1], device=dense.device) < counts) / counts
    return torch.zeros_like(similarity).scatter(1, order, rank_weights.to(similarity))


class SelectiveGlobalDistillation(nn.Module):
    """InfoNCE between the mean of selected dense features and the CLS token (Chimera-Seg's SGD, reconstructed).

    Args:
        config: Selection, schedule and objective.
        dimension: Length D of features and CLS tokens.
    """

    def __init__(self, config: SgdConfig, *, dimension: int) -> None:
        super().__init__()
        self.config, self.bank = config, EmbeddingBank(config.bank, dimension=dimension)

    def forward(
        self, dense: Tensor, cls: Tensor, *, is_valid: Tensor | None = None, step_context: StepContext
    ) -> Tensor:
        """Compute the loss in float32, then add the CLS tokens of the batch to the bank.

        Args:
            dense: (B, N, D) unit vectors.
            cls: (B, D) unit vectors of the frozen teacher.
            is_valid: (B, N) bool, positions that show the image; None for all.
            step_context: Progress and random draws of the iteration.

        Returns:
            () weighted loss.
        """
        with torch.autocast(dense.device.type, enabled=False):
            dense, cls = dense.float(), cls.float()
            weights = self._weigh(dense, cls, is_valid, step_context)
            if self.config.objective == "cosine":
                loss = 1 - torch.einsum("bn,bnd,bd->b", weights, dense, cls).mean()
            else:
                loss = self._contrast(F.normalize(torch.einsum("bn,bnd->bd", weights, dense), dim=1), cls)
        self.bank.add(cls)
        return self.config.weight * loss

    def _weigh(self, dense: Tensor, cls: Tensor, is_valid: Tensor | None, step_context: StepContext) -> Tensor:
        """Weigh the positions (B, N) as the schedule of the config says."""
        images, positions = dense.shape[:2]
        valid = [positions] * images if is_valid is None else is_valid.sum(dim=1).tolist()
        return weigh_positions(
            dense,
            cls,
            is_valid=is_valid,
            select=self.config.select,
            num_selected=[
                count_selected(self.config, progress=step_context.progress, positions=count) for count in valid
            ],
            generator=step_context.generator("sgd", "pick"),  # part of the RNG key
        )

    def _contrast(self, pooled: Tensor, cls: Tensor) -> Tensor:
        """Compute InfoNCE between pooled features (B, D) and CLS tokens (B, D)."""
        candidates = torch.cat([cls, self.bank()])  # the positives come first
        logits = pooled @ candidates.T / self.config.temperature
        return F.cross_entropy(logits, torch.arange(len(cls), device=cls.device))
