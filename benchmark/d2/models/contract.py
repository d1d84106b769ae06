"""A method behind Detectron2's contract: lists of its dicts in, losses or score maps out, whoever's loop calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, get_args

import torch
from detectron2.utils import comm
from detectron2.utils.events import get_event_storage
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext
from benchmark.core.types import Losses, Prediction, Sample, ignore_label
from benchmark.d2.catalogs.catalog import open_once
from benchmark.data.loader import TrainLoader
from benchmark.engine.checkpoint import get_trainable_state
from benchmark.engine.device import move_to_device
from benchmark.engine.evaluation_loop import predict_image
from benchmark.engine.initialization import initialize_method
from benchmark.engine.training_step import set_step_context
from benchmark.planning.resolve import Setting

Format = Literal["RGB", "BGR"]
FORMATS: tuple[Format, ...] = get_args(Format)

INNER = "method."

Given = Mapping[str, Any]
"""A dict as Detectron2's mappers make it."""


@dataclass(frozen=True)
class Occasion:
    """What a method is used for.

    Attributes:
        setting: what it is and on which split.
        seed: of every random draw.
        iterations: of the whole training.
        image_format: of the pictures it will be given.
    """

    setting: Setting
    seed: int
    iterations: int
    image_format: Format


class MetaArchitecture(nn.Module):
    """A method as Detectron2 wants a model.

    In training it knows the seen classes and gives losses; in evaluation it knows all of them and gives one dict an
    image, `sem_seg` (K, height, width). `initialize` comes before the first iteration, unless weights were loaded.
    Random draws are addressed as in the suite's engines: by the iteration that Detectron2's event storage has, by the
    process, and in evaluation by the image.

    Its state is that of the method without the frozen parts, as in the checkpoints of runs: each loads the other's.
    The method itself, with all of its state, is `method`.

    Args:
        method: freshly built.
        occasion: what it was built for.

    Raises:
        ValueError: an image format that is neither RGB nor BGR.
    """

    def __init__(self, method: Method, occasion: Occasion) -> None:
        super().__init__()
        if occasion.image_format not in FORMATS:
            raise ValueError(f"image format {occasion.image_format!r}: expected one of {', '.join(FORMATS)}")
        self.method, self.occasion = method, occasion
        self._names: tuple[str, ...] = ()
        self._has_begun = False
        method.step_context = self._moment(occasion.iterations - 1)
        self.register_state_dict_post_hook(_as_saved)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_as_loaded)  # type: ignore[no-untyped-call]
        self.train()

    @property
    def device(self) -> torch.device:
        """Where the method is."""
        return next(chain(self.method.parameters(), self.method.buffers())).device

    def train(self, mode: bool = True) -> MetaArchitecture:
        """Switch modes, and with them the vocabulary: seen names in training, all names in evaluation."""
        super().train(mode)
        split = self.occasion.setting.split
        names = split.seen if mode else split.classes
        if names != self._names:
            self.method.set_classes(names)
            self._names = names
        return self

    def forward(self, batch: list[Given]) -> Losses | list[Prediction]:
        """Losses in training, else one prediction an image, in order.

        Args:
            batch: image (3, H, W) in 0-255 and, in training, sem_seg (H, W), an index into the seen classes or the
                label to ignore; file_name, image_id, height and width, which are made up where they are missing.

        Raises:
            ValueError: something in the batch is not as described, or training is longer than was said.
        """
        samples = [self._sample(given, at) for at, given in enumerate(batch)]
        if not self.training:
            return [predict_image(self.method, self.method, sample, device=self.device) for sample in samples]
        iteration = get_event_storage().iter
        if iteration >= self.occasion.iterations:
            raise ValueError(
                f"iteration {iteration} of a training of {self.occasion.iterations}: build the model with as many "
                "iterations as there will be, since schedules depend on them"
            )
        if not self._has_begun:
            self._begin()
        set_step_context(self.method, self._moment(iteration, micro_batch=comm.get_rank()))
        losses: Losses = self.method(move_to_device(samples, self.device))
        return losses

    def _begin(self) -> None:
        """Let the method look at training images; processes then have the starting values of the first."""
        self._has_begun = True
        setting, seed = self.occasion.setting, self.occasion.seed
        budget = Budget(**setting.budget.model_dump() | {"iterations": self.occasion.iterations})
        data = TrainLoader(
            open_once(setting.split.dataset),
            setting.split,
            protocol=setting.protocol,
            batch_size=budget.batch_size,
            seed=seed,
        )
        initialize_method(self.method, data, budget=budget, seed=seed, device=self.device)
        self.train()
        if comm.get_world_size() > 1:
            for value in get_trainable_state(self.method).values():
                torch.distributed.broadcast(value, 0)

    def _moment(self, iteration: int, *, micro_batch: int = 0) -> StepContext:
        return StepContext(self.occasion.seed, max(0, iteration), self.occasion.iterations, micro_batch)

    def _sample(self, given: Given, position: int) -> Sample:
        image: Tensor = given["image"]
        file_name = given.get("file_name", "")
        if image.ndim != 3 or len(image) != 3:
            raise ValueError(f"image {file_name!r} has shape {tuple(image.shape)}, expected (3, H, W)")
        sample: Sample = {
            "image": image.flip(0) if self.occasion.image_format == "BGR" else image,
            "height": given.get("height", image.shape[1]),
            "width": given.get("width", image.shape[2]),
            "file_name": file_name,
            "image_id": str(given.get("image_id", file_name or position)),
        }
        return self._with_labels(sample, given) if self.training else sample

    def _with_labels(self, sample: Sample, given: Given) -> Sample:
        """The sample with its labels, and with the pixels to be filled where the protocol has some filled."""
        wanted = ["sem_seg"]
        if self.occasion.setting.protocol.setting != "inductive":
            wanted.append("unlabelled")
        for key in wanted:
            if key not in given:
                raise ValueError(
                    f"training image {sample['image_id']!r} has no {key!r}: train on a split's training part, and take "
                    "benchmark.d2.catalogs.mapper.SplitMapper where Detectron2's mapper does not make it"
                )
        seen = self.occasion.setting.split.seen
        labels: Tensor = given["sem_seg"]
        labelled = labels[labels != ignore_label(len(seen))]
        if labelled.numel() and not 0 <= int(labelled.min()) <= int(labelled.max()) < len(seen):
            raise ValueError(
                f"training image {sample['image_id']!r} has labels {int(labelled.min())} to {int(labelled.max())}, "
                f"expected 0 to {len(seen) - 1}, one for each seen class: train on the split's training part"
            )
        sample["sem_seg"] = labels
        if "unlabelled" in given:
            sample["unlabelled"] = given["unlabelled"]
        return sample


def _as_saved(model: MetaArchitecture, state: dict[str, Any], prefix: str, _: Any) -> None:
    """Leave what training can change, under the method's own names."""
    inner, kept = prefix + INNER, get_trainable_state(model.method)
    for key in [key for key in state if key.startswith(inner)]:
        value, name = state.pop(key), key.removeprefix(inner)
        if name in kept:
            state[prefix + name] = value


def _as_loaded(model: MetaArchitecture, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Put the names that `_as_saved` gives back to those inside; frozen parts that are not there stay as they are.

    Raises:
        ValueError: the weights are not those of this method. Detectron2 would log it and go on.
    """
    own, needed = model.method.state_dict(), get_trainable_state(model.method)
    given = {key.removeprefix(prefix): state.pop(key) for key in list(state) if key.startswith(prefix)}
    strays = [f"{name} is missing" for name in needed if name not in given]
    strays += [f"{name} is not its" for name in given if name not in own]
    if strays:
        raise ValueError(
            f"weights do not fit {model.occasion.setting.variant!r}: {', '.join(strays[:3])} ({len(strays)} in all). "
            "To take over parts of them, call load_state_dict of the model's `method` with strict=False"
        )
    state |= {prefix + INNER + name: value for name, value in (own | given).items()}
    model._has_begun = True
