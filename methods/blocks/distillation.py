"""Selective Global Distillation (SGD): dense features learn from the CLS token, those most like it first."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config, StepContext

Pick = Literal["top", "random", "bottom", "soft"]


class SgdConfig(Config):
    """How global knowledge reaches dense features.

    Attributes:
        weight: of the loss.
        pick: "top" positions by cosine with the CLS token; or "random", "bottom", or "soft" attention over all
            positions (softmax of CLS·F/√D, the authors' earlier rule).
        keep_start, keep_end: fraction of the positions that is picked at the first and the last iteration.
        schedule: how it falls in between.
        temperature: of the contrast.
        bank: CLS tokens of earlier images that serve as negatives; 0 for none.
        objective: "infonce" on the mean of the picked features, or "cosine" of each one with the CLS token.
    """

    weight: float = Field(default=1.0, gt=0)
    pick: Pick = "top"
    keep_start: float = Field(default=1.0, gt=0, le=1)
    keep_end: float = Field(default=0.2, gt=0, le=1)
    schedule: Literal["cosine", "linear"] = "cosine"
    temperature: float = Field(default=0.07, gt=0)
    bank: int = Field(default=24, ge=0)
    objective: Literal["infonce", "cosine"] = "infonce"


def kept(config: SgdConfig, *, progress: float, positions: int) -> int:
    """How many positions are picked at this point of training, at least one."""
    fall = (1 - math.cos(math.pi * progress)) / 2 if config.schedule == "cosine" else progress
    share = config.keep_start + (config.keep_end - config.keep_start) * fall
    return max(1, round(share * positions))


def pick_weights(dense: Tensor, cls: Tensor, *, pick: Pick, count: int, generator: torch.Generator) -> Tensor:
    """How much each position counts.

    Args:
        dense: (B, N, D) unit vectors.
        cls: (B, D) unit vectors.
        count: positions to pick; "soft" takes them all.

    Returns:
        (B, N), each row sums to 1.
    """
    likeness = torch.einsum("bnd,bd->bn", dense, cls)
    if pick == "soft":
        return (likeness / math.sqrt(dense.shape[2])).softmax(dim=1)
    if pick == "random":
        likeness = torch.rand(likeness.shape, generator=generator).to(likeness)
    order = likeness.detach().topk(count, dim=1, largest=pick != "bottom").indices
    return torch.zeros_like(likeness).scatter(1, order, 1 / count)


class SelectiveGlobalDistillation(nn.Module):
    """InfoNCE between the mean of the picked dense features and the CLS token (Chimera-Seg's SGD, reconstructed)."""

    bank: Tensor
    filled: Tensor

    def __init__(self, config: SgdConfig, *, dimension: int) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("bank", torch.zeros(config.bank, dimension))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def forward(self, dense: Tensor, cls: Tensor, *, step_context: StepContext) -> Tensor:
        """The weighted loss, and this batch's CLS tokens into the bank.

        Args:
            dense: (B, N, D) unit vectors.
            cls: (B, D) unit vectors of the frozen teacher.
        """
        count = kept(self.config, progress=step_context.progress, positions=dense.shape[1])
        weights = pick_weights(
            dense, cls, pick=self.config.pick, count=count, generator=step_context.generator("sgd", "pick")
        )
        if self.config.objective == "cosine":
            loss = 1 - torch.einsum("bn,bnd,bd->b", weights, dense, cls).mean()
        else:
            loss = self._contrast(F.normalize(torch.einsum("bn,bnd->bd", weights, dense), dim=1), cls)
        self._remember(cls)
        return self.config.weight * loss

    def _contrast(self, pooled: Tensor, cls: Tensor) -> Tensor:
        negatives = torch.cat([cls, self.bank[: int(self.filled)]])
        logits = pooled @ negatives.T / self.config.temperature
        return F.cross_entropy(logits, torch.arange(len(cls), device=cls.device))

    @torch.no_grad()
    def _remember(self, cls: Tensor) -> None:
        """First in, first out: the newest tokens come first."""
        size = len(self.bank)
        self.bank.copy_(torch.cat([cls, self.bank])[:size])
        self.filled.copy_((self.filled + len(cls)).clamp_max(size))
