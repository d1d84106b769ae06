"""Contract of files under methods/: each exports a `Method` and the `Recipe` that builds its variants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.frozen_modules import find_frozen_modules
from benchmark.core.seeding import Part, torch_generator
from benchmark.core.split import Split
from benchmark.core.train_split import TrainSplit, make_train_split
from benchmark.core.types import Batch, Losses, Prediction
from benchmark.utils.frozen_model import FrozenModel


class Config(FrozenModel):
    """Base of method configurations: frozen, typed, without undeclared fields. A nested part is a Config or None."""

    def check_split(self, split: Split) -> None:
        """Check that this part fits a split with all its classes; accepts every split by default.

        Planning and building call it for every part of a config, before anything is computed.

        Args:
            split: Split of the run, with the prompts of its protocol.

        Raises:
            KeyError: A class is missing; the message names the nearest.
            ValueError: The part does not fit the split.
        """

    def check_plan(self, budget: Budget) -> None:
        """Check, without building anything, that a run can be built from this part and trained with a budget.

        Planning calls it, so that a missing file is noticed before a job waits for a node. By default, the parts of
        this config check themselves; a config that does not use one of them, or whose parts must fit, overrides this.

        Args:
            budget: Training budget of the run.

        Raises:
            KeyError: A name is unknown; the message names the nearest.
            ValueError: A file is missing or does not fit, or parts do not fit each other or the budget.
        """
        for part in self.list_parts():
            part.check_plan(budget)

    def describe_backbone(self) -> tuple[str, ...]:
        """Return the networks that predictions are made with, such as "CLIP ViT-B/16".

        Small heads and decoders that only this method has are no backbone. By default, what the parts of this config
        say, each once, in their order; a config that builds a known network, or uses one in another way, overrides it.
        """
        return tuple(dict.fromkeys(name for part in self.list_parts() for name in part.describe_backbone()))

    def describe_extra_models(self) -> tuple[str, ...]:
        """Return the pretrained models beside the backbone, such as "DINO ViT-B/8"; by default those of the parts."""
        return tuple(dict.fromkeys(name for part in self.list_parts() for name in part.describe_extra_models()))

    def list_parts(self) -> list[Config]:
        """Return the configs in the fields of this one, also those in lists and tables, but not their own parts."""
        parts: list[Config] = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            values = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else [value]
            parts += [part for part in values if isinstance(part, Config)]
        return parts


ConfigT = TypeVar("ConfigT", bound=Config)


POINT_KEYS = ("points", "points_uv", "points_valid")
"""Fields of a sample that hold the points of its scene."""


class Supervision(StrEnum):
    """Targets that a method uses in training, tags also in evaluation. Tables never rank across kinds tacitly.

    Points are labeled with seen classes only, as masks are, and come with the names of unseen classes.
    """

    NONE = "none"
    TAGS = "tags"
    CAPTIONS = "captions"
    SEEN_MASKS = "seen_masks"
    SEEN_MASKS_UNSEEN_NAMES = "seen_masks+unseen_names"
    POINTS = "points"

    @property
    def includes_unseen_names(self) -> bool:
        """Whether training may know the names of unseen classes: tags carry them, and points come with them."""
        return self in (Supervision.SEEN_MASKS_UNSEEN_NAMES, Supervision.TAGS, Supervision.POINTS)

    @property
    def includes_captions(self) -> bool:
        """Whether training samples have captions; these may name unseen classes."""
        return self is Supervision.CAPTIONS

    @property
    def includes_tags(self) -> bool:
        """Whether evaluation samples have tags, those of unseen classes included."""
        return self is Supervision.TAGS

    @property
    def includes_points(self) -> bool:
        """Whether samples have the points of their scene, those for training with labels of seen classes."""
        return self is Supervision.POINTS

    @property
    def train_keys(self) -> tuple[str, ...]:
        """Fields of a training sample that other methods do not get."""
        return ("captions",) * self.includes_captions + (*POINT_KEYS, "point_sem_seg") * self.includes_points

    @property
    def eval_keys(self) -> tuple[str, ...]:
        """Fields of an evaluation sample that other methods do not get."""
        return ("tags",) * self.includes_tags + POINT_KEYS * self.includes_points


@dataclass(frozen=True)
class Traits:
    """Facts that a table shows next to the numbers of a method.

    Attributes:
        supervision: Targets that are used in training, or tags or points that are used in evaluation.
        reconstruction: Deviations from the paper, one sentence; empty if official code was followed.
        is_deterministic: Whether a run without training draws nothing; see `gives_one_result`.
        cost: Passes of networks that the prediction of one image takes, such as "CLIP once"; empty if not declared.
        extra_models: Pretrained models beside the backbone that every variant uses, such as "DINO ViT-B/8"; those that
            depend on the config are in `Config.describe_extra_models`.
    """

    supervision: Supervision
    reconstruction: str = ""
    is_deterministic: bool = False
    cost: str = ""
    extra_models: tuple[str, ...] = ()

    def gives_one_result(self, budget: Budget) -> bool:
        """Return whether every seed gives the same result, so that a study runs the row once.

        Args:
            budget: Training budget; it trains nothing in a method without supervision, however large it is.
        """
        return self.is_deterministic and (not budget.iterations or self.supervision is Supervision.NONE)


@dataclass(frozen=True)
class StepContext:
    """Position in training: set by the engine before every iteration, used by schedules and random draws.

    Attributes:
        seed: Seed of the run.
        iteration: Number of the iteration, from 0.
        iterations: Number of all iterations.
        micro_batch: Number of the micro-batch within the iteration, see `Budget.micro_batches`.
    """

    seed: int = 0
    iteration: int = 0
    iterations: int = 1
    micro_batch: int = 0

    @property
    def progress(self) -> float:
        """Progress from 0 at the first iteration to 1 at the last."""
        return self.iteration / max(1, self.iterations - 1)

    @property
    def rng_key(self) -> tuple[Part, ...]:
        """Key of this step's random draws; the first micro-batch draws like an undivided batch."""
        return (self.iteration, "shard", self.micro_batch) if self.micro_batch else (self.iteration,)

    def generator(self, *purpose: Part) -> torch.Generator:
        """Return a CPU generator for one random draw of this iteration and micro-batch."""
        return torch_generator(self.seed, *self.rng_key, *purpose)


class Method(nn.Module, ABC):
    """A segmentation method. Concrete methods define the three abstract methods and override no other concrete one.

    `initialize` is the one optional step. A parameter requires gradients if and only if the budget has iterations.
    Parameters that do not require gradients are frozen: their modules stay in eval mode, and they are not in
    checkpoints. What training changes is in parameters and buffers, so that a resumed run goes on like an uninterrupted
    one. Training of a method without supervision or with seen masks depends neither on the names and masks of unseen
    classes nor on the difference between unseen and void pixels. A method reads no split, dataset or record by itself.

    `chimera-bench test METHOD` checks these rules and those of each function.
    """

    def __init__(self) -> None:
        super().__init__()
        self.step_context = StepContext()

    @abstractmethod
    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary: the seen names before `fit`, all names before `evaluate`.

        Nothing else changes the vocabulary, and nothing of an earlier one may remain: the same names always give the
        same predictions. Names may be unknown to the split.

        Args:
            names: K class names in the order of the score maps.
        """

    @abstractmethod
    def losses(self, batch: Batch) -> Losses:
        """Return the losses of a training batch.

        Each loss is a finite scalar of shape (), also if only some pixels or none are labeled, and already weighted.
        Every parameter that requires gradients influences a loss. The samples, all parameters and all frozen tensors
        stay unmodified. Random draws come from `self.step_context.generator`, never from the global generators, so that
        the same iteration gives the same losses.

        Args:
            batch: B samples with targets: images (3, H, W), sem_seg (H, W).

        Returns:
            Scalar losses by name; an empty dict if and only if the budget has no iterations.
        """

    @abstractmethod
    def predict(self, batch: Batch) -> list[Prediction]:
        """Return one prediction per sample, in the order of the samples.

        A prediction depends on the weights, the vocabulary and the sample only: not on the other samples of the batch,
        on earlier batches, or on the global random state. Predicting changes neither the samples nor any parameter or
        buffer.

        Args:
            batch: B samples without targets: images (3, H, W) of any size.

        Returns:
            B predictions. Each "sem_seg" is (K, height, width), the height and width that the sample requests, and
            finite, for the K classes last given to `set_classes`.
        """

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Set initial values from training samples, once before the first iteration; does nothing by default.

        The method is in training mode, and gradients are disabled. Initializing changes nothing that is not in
        checkpoints.

        Args:
            batches: Batches of training samples, augmented and as large as in training, `Budget.init_images` in total.
        """

    def forward(self, batch: Batch) -> Losses | list[Prediction]:
        """Call `losses` in training mode and `predict` in evaluation mode."""
        return self.losses(batch) if self.training else self.predict(batch)

    def train(self, mode: bool = True) -> Method:
        """Switch modes; modules whose parameters are all frozen stay in eval mode, except for methods themselves."""
        super().train(mode)
        if mode:
            frozen = find_frozen_modules(self)
            for module in self.modules():
                if module.training and module in frozen and not isinstance(module, Method):
                    module.eval()  # with all modules below it, which come later
        return self


@dataclass(frozen=True)
class Recipe(Generic[ConfigT]):
    """Everything that tables and runs need to know about a method.

    Attributes:
        title: Name of the row in tables.
        paper: Citation, such as "arXiv 2506.22032".
        traits: Facts that tables show next to the numbers.
        variants: Row label to config, in the order of the paper's table; the first one is the method itself.
        build: Function that makes the method from a config and what it may know about a split, before its vocabulary is
            set. It must not ask for the names of unseen classes, unless the supervision includes them.
        budgets: Training budget by dataset name; "*" for any other dataset.
        presets: By dataset name, overrides by dotted key that replace the paper's setting on that dataset.
        convert_official: Function from the tensors of a published checkpoint by their official names, and the method
            that they are for, to tensors by name in the method's state dict. Every official name is used or left out on
            purpose; a ValueError says in one line which are unknown or missing. None if no checkpoint can be read.
        official_model: Name of the official model in the configs of mmseg, for methods whose checkpoints have the
            tensors of another method's: a checkpoint that says another name is refused. Empty if there is none.
    """

    title: str
    paper: str
    traits: Traits
    variants: Mapping[str, ConfigT]
    build: Callable[[ConfigT, TrainSplit], Method]
    budgets: Mapping[str, Budget]
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    convert_official: Callable[[Mapping[str, Tensor], Any], Mapping[str, Tensor]] | None = None
    official_model: str = ""

    def make_train_split(self, split: Split) -> TrainSplit:
        """Return what `build` may know about a split."""
        supervision = self.traits.supervision
        return make_train_split(split, withheld_by="" if supervision.includes_unseen_names else supervision.value)

    def budget_for(self, dataset: str) -> Budget:
        """Return the training budget on a dataset."""
        return self.budgets[dataset] if dataset in self.budgets else self.budgets["*"]
