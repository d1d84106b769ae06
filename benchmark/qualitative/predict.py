"""Predictions of finished runs for single images: the method is rebuilt from spec and checkpoint.

Predictions have the precision of the run. They are made on a GPU if the run used one and there is one, and on the CPU
otherwise, so that pixels with nearly equal logits may differ from those that were counted on another kind of device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.method import Method, StepContext, Supervision
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split
from benchmark.core.types import Sample
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader
from benchmark.data.resize import resize_image
from benchmark.data.run_loaders import make_train_loader
from benchmark.engine.checkpoint import Checkpoint
from benchmark.engine.distributed import Rank
from benchmark.engine.evaluation_loop import Predict, predict_image
from benchmark.engine.fabric_setup import open_fabric
from benchmark.engine.initialization import initialize_method
from benchmark.engine.optimizer import is_trained
from benchmark.evaluation.counter import Counter
from benchmark.planning.resolve import build, load_recipe_of, load_split_of
from benchmark.store.store import Store


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """An image that a run was scored on.

    Attributes:
        sample: Sample as a method gets it.
        target: (H, W) long: index of a class of the split, or 255.
    """

    sample: Sample
    target: Tensor

    @property
    def image_id(self) -> str:
        """Id of the image."""
        return self.sample["image_id"]

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """Image as (H, W, 3) RGB, at the size of the target."""
        image = resize_image(self.sample["image"], (self.sample["height"], self.sample["width"]), antialias=True)
        return image.permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).cpu().numpy()  # (3, H, W) to (H, W, 3)

    @property
    def target_map(self) -> NDArray[np.int64]:
        """Target as a (H, W) array."""
        return self.target.cpu().numpy()


class ScoredImages:
    """The images that a run was scored on, read one by one, with the tags or points that its method gets.

    Args:
        spec: Spec of the run.

    Attributes:
        split: Split of the run.
        ids: Ids of the images, in the order of the split.

    Raises:
        ValueError: Split or dataset are not those of the spec.
    """

    def __init__(self, spec: RunSpec) -> None:
        self.split = load_split_of(spec)
        self.dataset = open_dataset(self.split.dataset)
        if self.dataset.fingerprint(self.split.train, self.split.evaluate) != spec.dataset_fingerprint:
            raise ValueError(f"dataset {self.split.dataset!r} is not the one of {spec.id}: use the same data (--data)")
        self._loader = EvalLoader(
            self.dataset,
            self.split,
            protocol=spec.protocol,
            max_images=spec.max_images,
            supervision=_get_supervision(spec),
        )
        refs = (self.dataset.get_image_ref(self.split.evaluate, index) for index in range(len(self._loader)))
        self._indices = {ref.image_id: index for index, ref in enumerate(refs)}

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the images, in the order of the split."""
        return tuple(self._indices)

    def read(self, image_id: str) -> ScoredImage:
        """Read an image.

        Raises:
            KeyError: The run was not scored on this image.
            ValueError: A file is missing or broken.
        """
        if image_id not in self._indices:
            some = ", ".join(self.ids[:3])
            raise KeyError(f"no image {image_id!r} among the {len(self.ids)} that were scored, such as {some}")
        return ScoredImage(*self._loader.sample(self._indices[image_id]))


def read_images(spec: RunSpec, image_ids: Sequence[str]) -> list[ScoredImage]:
    """Read images that a run was scored on.

    Args:
        spec: Spec of the run.
        image_ids: Ids of the images, in the order of the result.

    Raises:
        KeyError: An image is not among those that the run was scored on.
        ValueError: Split or dataset are not those of the spec.
    """
    images = ScoredImages(spec)
    return [images.read(image_id) for image_id in image_ids]


class RunPredictor:
    """The method of a finished run, which predicts as it did when the run was scored.

    Args:
        store: Store that holds the run.
        spec: Spec of the run.

    Raises:
        ValueError: The run cannot predict: its labels were imported, its checkpoint is missing, or method, split or
            checkpoint are not those of the run.
    """

    def __init__(self, store: Store, spec: RunSpec) -> None:
        if spec.is_imported:
            raise ValueError(f"{spec.id} has no method that could predict: its labels were imported")
        self._spec, self._split = spec, load_split_of(spec)
        self._device = _choose_device(store, spec)
        self._method = restore_method(store, spec, device=self._device)

    def predict(self, image: ScoredImage) -> NDArray[np.int64]:
        """Return the class of every pixel, (H, W) indices of classes of the split."""
        prediction = predict_image(self._forward, self._method, image.sample, device=self._device)
        return self._counter.predict_labels(prediction)

    @cached_property
    def _forward(self) -> Predict:
        """Method in the precision of the run."""
        if self._spec.budget.precision == "32-true":
            return self._method
        alone, precision = Rank(0, 1), self._spec.budget.precision
        return open_fabric(alone, accelerator=self._device.type, precision=precision).setup_module(self._method)

    @cached_property
    def _counter(self) -> Counter:
        return Counter(self._split.classes, self._split.is_seen, gamma=self._spec.protocol.gamma)


def predict_labels(store: Store, run_id: str, images: Sequence[ScoredImage]) -> list[NDArray[np.int64]]:
    """Predict images with the method of a finished run.

    Args:
        store: Store that holds the run.
        run_id: Id of the run.
        images: Images to predict.

    Returns:
        (H, W) indices of classes of the split, per image.

    Raises:
        ValueError: The run cannot predict, see `RunPredictor`.
    """
    predictor = RunPredictor(store, store.run(run_id).read_spec())
    return [predictor.predict(image) for image in images]


def restore_method(store: Store, spec: RunSpec, *, device: torch.device | None = None) -> Method:
    """Restore the method of a finished run, in eval mode, with all classes of the split as its vocabulary.

    A method that was not trained needs no checkpoint: it is made again from its spec.

    Args:
        store: Store that holds the run.
        spec: Spec of the run.
        device: Device of the method; the CPU if None.

    Raises:
        ValueError: The checkpoint of a trained method is missing, or method, split or checkpoint are not those of the
            run.
    """
    split, path = load_split_of(spec), store.run(spec.id).checkpoint_path
    method = build(spec)
    method.set_classes(split.seen)
    method.to(device or torch.device("cpu"))
    iterations = Checkpoint(path, run=spec.digest()).load(method, None)
    if iterations is None and not is_trained(method, spec.budget):
        _initialize(method, spec, split, device=device or torch.device("cpu"))
    elif iterations != spec.budget.iterations:
        problem = "is missing" if iterations is None else f"holds {iterations} of {spec.budget.iterations} iterations"
        raise ValueError(f"checkpoint {path} {problem}: copy it from the machine of the run, or run it again")
    method.step_context = StepContext(spec.seed, max(0, spec.budget.iterations - 1), spec.budget.iterations)
    method.set_classes(split.classes)
    method.eval()
    return method


def _get_supervision(spec: RunSpec) -> Supervision:
    """Return what the samples of a run include; nothing for imported labels, which have no method."""
    return Supervision.NONE if spec.is_imported else load_recipe_of(spec).traits.supervision


def _initialize(method: Method, spec: RunSpec, split: Split, *, device: torch.device) -> None:
    """Initialize a method that is not trained from training images, as the engine does."""
    if not spec.budget.init_images:
        return
    data = make_train_loader(spec, open_dataset(split.dataset), split, supervision=_get_supervision(spec))
    initialize_method(method, data, budget=spec.budget, seed=spec.seed, device=device)


def _choose_device(store: Store, spec: RunSpec) -> torch.device:
    """Return a GPU if the run used one and there is one, otherwise the CPU."""
    record = store.run(spec.id).read_snapshot().record
    used_gpu = record is not None and record.environment.machine.gpu is not None
    return torch.device("cuda" if used_gpu and torch.cuda.is_available() else "cpu")
