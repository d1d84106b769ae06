"""Adapter from methods to Detectron2's model contract: lists of dicts in, losses or score maps out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, get_args

import torch
from detectron2.utils import comm
from detectron2.utils.events import get_event_storage
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext, Supervision
from benchmark.core.trainable_state import get_trainable_state
from benchmark.core.types import Losses, Prediction, Sample, get_ignore_label
from benchmark.d2.catalogs.catalog import open_shared_dataset
from benchmark.data.loader import TrainLoader
from benchmark.engine.device import move_to_device
from benchmark.engine.evaluation_loop import predict_image
from benchmark.engine.initialization import initialize_method
from benchmark.engine.training_step import set_step_context
from benchmark.planning.method_setup import MethodSetup

Format = Literal["RGB", "BGR"]
FORMATS: tuple[Format, ...] = get_args(Format)

METHOD_PREFIX = "method."

InputDict = Mapping[str, Any]
"""Dict that one of Detectron2's mappers returns."""


@dataclass(frozen=True)
class ModelSetup:
    """Use of a method in Detectron2.

    Attributes:
        setting: Resolved settings of the method and its split.
        seed: Seed of every random draw.
        iterations: Iterations of the whole training.
        image_format: Channel order of the input images.
    """

    setting: MethodSetup
    seed: int
    iterations: int
    image_format: Format


class MetaArchitecture(nn.Module):
    """Method as a Detectron2 model.

    In training mode the vocabulary is the seen classes and the output is losses. In evaluation mode the vocabulary is
    all classes and the output is one dict per image with `sem_seg` (K, height, width). The method is initialized before
    the first iteration unless weights were loaded. Random draws are keyed as in the benchmark's engines: by the
    iteration in Detectron2's event storage, by the process, and in evaluation by the image.

    The state has the method's trainable values under their own names, as in checkpoints of runs, so that either side
    can load the files of the other. The complete method is `method`.

    Args:
        method: Method as it was built.
        setup: Use that the method was built for.

    Raises:
        ValueError: The image format is neither RGB nor BGR.
    """

    def __init__(self, method: Method, setup: ModelSetup) -> None:
        super().__init__()
        if setup.image_format not in FORMATS:
            raise ValueError(f"image format {setup.image_format!r}: expected one of {', '.join(FORMATS)}")
        self.method, self.setup = method, setup
        self._names: tuple[str, ...] = ()
        self._is_initialized = False
        method.step_context = self._make_step_context(setup.iterations - 1)
        self.register_state_dict_post_hook(_keep_trainable_state)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_restore_full_state)  # type: ignore[no-untyped-call]
        self.train()

    @property
    def device(self) -> torch.device:
        """Device of the method."""
        return next(chain(self.method.parameters(), self.method.buffers())).device

    @property
    def _supervision(self) -> Supervision:
        return self.setup.setting.recipe.traits.supervision

    def train(self, mode: bool = True) -> MetaArchitecture:
        """Set the mode and the vocabulary: seen classes in training, all classes in evaluation."""
        super().train(mode)
        split = self.setup.setting.split
        names = split.seen if mode else split.classes
        if names != self._names:
            self.method.set_classes(names)
            self._names = names
        return self

    def forward(self, batch: list[InputDict]) -> Losses | list[Prediction]:
        """Compute losses in training mode and predictions in evaluation mode.

        Args:
            batch: Dicts with image (3, H, W) in 0-255 and, in training, sem_seg (H, W): indices into the seen classes
                or the ignore label. The keys file_name, image_id, height and width are optional.

        Returns:
            Scalar losses by name in training, else one prediction per image in order, with sem_seg (K, height, width).

        Raises:
            ValueError: The batch is not as described, or training exceeds the iterations of the setup.
        """
        samples = [self._to_sample(record, index) for index, record in enumerate(batch)]
        if not self.training:
            return [predict_image(self.method, self.method, sample, device=self.device) for sample in samples]
        iteration = get_event_storage().iter
        if iteration >= self.setup.iterations:
            raise ValueError(
                f"iteration {iteration} of a training of {self.setup.iterations}: build the model with the number of "
                "iterations of the whole training, since schedules depend on it"
            )
        if not self._is_initialized:
            self._initialize()
        set_step_context(self.method, self._make_step_context(iteration, micro_batch=comm.get_rank()))
        losses: Losses = self.method(move_to_device(samples, self.device))
        return losses

    def _initialize(self) -> None:
        """Initialize the method on training images and broadcast the values of the first process."""
        self._is_initialized = True
        setting, seed = self.setup.setting, self.setup.seed
        budget = Budget(**setting.budget.model_dump() | {"iterations": self.setup.iterations})
        data = TrainLoader(
            open_shared_dataset(setting.split.dataset),
            setting.split,
            protocol=setting.protocol,
            batch_size=budget.batch_size,
            seed=seed,
            supervision=self._supervision,
        )
        initialize_method(self.method, data, budget=budget, seed=seed, device=self.device)
        self.train()
        if comm.get_world_size() > 1:
            for value in get_trainable_state(self.method).values():
                torch.distributed.broadcast(value, 0)

    def _make_step_context(self, iteration: int, *, micro_batch: int = 0) -> StepContext:
        return StepContext(self.setup.seed, max(0, iteration), self.setup.iterations, micro_batch)

    def _to_sample(self, record: InputDict, position: int) -> Sample:
        """Convert an input dict with image (3, H, W) to a sample; `position` replaces a missing image id."""
        image: Tensor = record["image"]
        file_name = record.get("file_name", "")
        if image.ndim != 3 or len(image) != 3:
            raise ValueError(f"image {file_name!r} has shape {tuple(image.shape)}, expected (3, H, W)")
        sample: Sample = {
            "image": image.flip(0) if self.setup.image_format == "BGR" else image,
            "height": record.get("height", image.shape[1]),
            "width": record.get("width", image.shape[2]),
            "file_name": file_name,
            "image_id": str(record.get("image_id", file_name or position)),
        }
        keys = self._supervision.train_keys if self.training else self._supervision.eval_keys
        self._check_keys(sample, record, keys)
        sample.update({key: record[key] for key in keys})  # type: ignore[typeddict-item]
        return self._add_labels(sample, record) if self.training else sample

    def _add_labels(self, sample: Sample, record: InputDict) -> Sample:
        """Add labels (H, W) to a sample and, in transductive protocols, the mask (H, W) of the pixels to fill."""
        self._check_labels(sample, record)
        sample["sem_seg"] = record["sem_seg"]
        if "unlabeled" in record:
            sample["unlabeled"] = record["unlabeled"]
        return sample

    def _check_keys(self, sample: Sample, record: InputDict, required: Sequence[str]) -> None:
        kind = "training" if self.training else "evaluation"
        for key in required:
            if key not in record:
                raise ValueError(
                    f"{kind} image {sample['image_id']!r} has no {key!r}: use the split's {kind} subset, and "
                    "benchmark.d2.catalogs.mapper.SplitMapper with the name of the method if Detectron2's mapper does "
                    "not return it"
                )

    def _check_labels(self, sample: Sample, record: InputDict) -> None:
        required = ["sem_seg"]
        if self.setup.setting.protocol.setting != "inductive":
            required.append("unlabeled")
        self._check_keys(sample, record, required)
        seen = self.setup.setting.split.seen
        labels: Tensor = record["sem_seg"]
        labeled = labels[labels != get_ignore_label(len(seen))]
        if labeled.numel() and not 0 <= int(labeled.min()) <= int(labeled.max()) < len(seen):
            raise ValueError(
                f"training image {sample['image_id']!r} has labels {int(labeled.min())} to {int(labeled.max())}, "
                f"expected 0 to {len(seen) - 1}, one per seen class: train on the split's training subset"
            )


def _keep_trainable_state(model: MetaArchitecture, state: dict[str, Any], prefix: str, _: Any) -> None:
    """Reduce a state dict to the method's trainable values, under the method's own names."""
    inner, trainable = prefix + METHOD_PREFIX, get_trainable_state(model.method)
    for key in [key for key in state if key.startswith(inner)]:
        value, name = state.pop(key), key.removeprefix(inner)
        if name in trainable:
            state[prefix + name] = value


def _restore_full_state(model: MetaArchitecture, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Undo `_keep_trainable_state`; missing frozen values are those that the model has.

    Raises:
        ValueError: The weights are not those of this method; Detectron2 would only log the differences.
    """
    own, required = model.method.state_dict(), get_trainable_state(model.method)
    loaded = {key.removeprefix(prefix): state.pop(key) for key in list(state) if key.startswith(prefix)}
    mismatches = [f"{name} is missing" for name in required if name not in loaded]
    mismatches += [f"{name} is unknown" for name in loaded if name not in own]
    if mismatches:
        examples = f"{', '.join(mismatches[:3])} ({len(mismatches)} in all)"
        raise ValueError(
            f"weights do not fit {model.setup.setting.variant!r}: {examples}. "
            "To load some of them, call load_state_dict of the model's `method` with strict=False"
        )
    state |= {prefix + METHOD_PREFIX + name: value for name, value in (own | loaded).items()}
    model._is_initialized = True
