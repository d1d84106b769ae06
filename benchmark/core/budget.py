"""What one run may spend on training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from benchmark.utils.frozen_model import FrozenModel


class Budget(FrozenModel):
    """Training budget of a run; every row of a study has the same.

    Attributes:
        iterations: Optimizer steps; 0 for methods without training.
        batch_size: Images per step, over all devices.
        learning_rate: Learning rate at the end of the warm-up.
        weight_decay: Decoupled weight decay of AdamW; not applied to biases, norms and other vectors.
        warmup: Fraction of the iterations with a linearly rising rate; a cosine decay to 0 follows.
        clip_norm: Upper bound of the gradient norm.
        init_images: Training images passed to `Method.initialize` before the first iteration.
        precision: Precision of the forward pass.
        micro_batches: Number of equal parts of each batch, each with its own forward pass, so that as many processes
            can share the work. Losses that look across a batch, and batch norm, see one micro-batch. Part of the run's
            identity: a different number gives different results.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"shards": "micro_batches"}

    iterations: int = Field(default=600, ge=0)
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-3, ge=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    warmup: float = Field(default=0.05, ge=0, le=1)
    clip_norm: float = Field(default=1.0, gt=0)
    init_images: int = Field(default=0, ge=0)
    precision: str = "32-true"
    micro_batches: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _check_micro_batches_are_equal(self) -> Self:
        if self.batch_size % self.micro_batches:
            raise ValueError(
                f"micro_batches={self.micro_batches} does not divide batch_size={self.batch_size}: "
                "all micro-batches must have the same size"
            )
        return self
