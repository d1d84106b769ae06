"""What a file under methods/ exports: a `Method` and the `Recipe` that builds its variants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from benchmark.core.budget import Budget
from benchmark.core.seeding import Part, torch_generator
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction
from benchmark.utils.frozen_model import FrozenModel


class Config(FrozenModel):
    """Base of method configurations: frozen, typed, unknown fields refused. A nested part is a Config or None."""


ConfigT = TypeVar("ConfigT", bound=Config)


class Supervision(StrEnum):
    """What a method sees of the truth while it learns. Tables never rank across kinds without saying so."""

    NONE = "none"
    TAGS = "tags"
    CAPTIONS = "captions"
    SEEN_MASKS = "seen_masks"
    SEEN_MASKS_UNSEEN_NAMES = "seen_masks+unseen_names"
    POINTS = "points"


@dataclass(frozen=True)
class Traits:
    """What a table must say beside a number.

    Attributes:
        supervision: what is seen of the truth.
        reconstruction: what is ours and not the paper's, one sentence; empty where official code was followed.
        needs_grad_at_eval: whether `predict` differentiates.
        passes_per_image: forward passes for one prediction, or "K" for one a class.
        extra_models: frozen models besides CLIP.
    """

    supervision: Supervision
    reconstruction: str = ""
    needs_grad_at_eval: bool = False
    passes_per_image: int | str = 1
    extra_models: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepContext:
    """Where training stands: set by the engine before every iteration, read by schedules and random draws.

    Attributes:
        micro_batch: which part of the iteration's batch; see `Budget.micro_batches`.
    """

    seed: int = 0
    iteration: int = 0
    iterations: int = 1
    micro_batch: int = 0

    @property
    def progress(self) -> float:
        """From 0 at the first iteration to 1 at the last."""
        return self.iteration / max(1, self.iterations - 1)

    @property
    def rng_key(self) -> tuple[Part, ...]:
        """Of this iteration, and of the shard unless it is the first, which draws as the whole batch would."""
        return (self.iteration, "shard", self.micro_batch) if self.micro_batch else (self.iteration,)

    def generator(self, *purpose: Part) -> torch.Generator:
        """A generator for one draw of this iteration and micro-batch."""
        return torch_generator(self.seed, *self.rng_key, *purpose)


class Method(nn.Module, ABC):
    """A segmentation method. Concrete methods define the three abstract ones and override nothing else concrete.

    `initialize` is the one optional step: it may look at training samples once, before the first iteration.
    Parameters that do not require gradients are frozen: their modules stay in eval mode and out of the checkpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        self.step_context = StepContext()

    @abstractmethod
    def set_classes(self, names: Sequence[str]) -> None:
        """Change the vocabulary: seen names before `fit`, all names before `evaluate`. The only door to it."""

    @abstractmethod
    def losses(self, batch: Batch) -> Losses:
        """Weighted losses of a training batch; an empty dict where there is nothing to train."""

    @abstractmethod
    def predict(self, batch: Batch) -> list[Prediction]:
        """One prediction a sample, in order, at the size the sample asks for."""

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Set starting values from training samples (data-dependent initialisation). Nothing, unless a method does."""

    def forward(self, batch: Batch) -> Losses | list[Prediction]:
        """`losses` in training mode, `predict` in evaluation mode."""
        return self.losses(batch) if self.training else self.predict(batch)

    def train(self, mode: bool = True) -> Method:
        """Switch modes; modules whose parameters are all frozen stay in eval mode, a method itself never does."""
        super().train(mode)
        for module in self.modules():
            parameters = [] if isinstance(module, Method) else list(module.parameters())
            if parameters and not any(parameter.requires_grad for parameter in parameters):
                module.eval()
        return self


@dataclass(frozen=True)
class Recipe(Generic[ConfigT]):
    """How a method enters tables.

    Attributes:
        title: the row's name.
        paper: citation, "arXiv 2506.22032" or the like.
        traits: what tables say beside the numbers.
        variants: row label to config, in the order of the paper's table; the first is the method itself.
        build: makes the method from a config and a split, vocabulary not yet set.
        budgets: training budget by data set name; "*" for any other.
        presets: by data set name, dotted fields of the config that differ there from the paper's setting.
    """

    title: str
    paper: str
    traits: Traits
    variants: Mapping[str, ConfigT]
    build: Callable[[ConfigT, Split], Method]
    budgets: Mapping[str, Budget]
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def budget_for(self, dataset: str) -> Budget:
        """The budget on a data set."""
        return self.budgets[dataset] if dataset in self.budgets else self.budgets["*"]
