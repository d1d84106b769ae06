"""Predictions of finished runs for single images: the method is rebuilt from spec and checkpoint.

Predictions are made on the CPU in float32, whatever the run used, so that pixels with nearly equal logits may differ
from those that were counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.method import Method, StepContext
from benchmark.core.run_spec import RunSpec
from benchmark.core.types import Sample
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader
from benchmark.data.resize import resize_image
from benchmark.engine.checkpoint import Checkpoint
from benchmark.engine.evaluation_loop import predict_each
from benchmark.evaluation.counter import Counter
from benchmark.planning.resolve import build, load_split_of
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
    def rgb(self) -> NDArray[np.uint8]:
        """Image as (H, W, 3) RGB, at the size of the target."""
        image = resize_image(self.sample["image"], (self.sample["height"], self.sample["width"]), antialias=True)
        return image.permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).cpu().numpy()  # (3, H, W) to (H, W, 3)

    @property
    def target_map(self) -> NDArray[np.int64]:
        """Target as a (H, W) array."""
        return self.target.cpu().numpy()


def read_images(spec: RunSpec, image_ids: Sequence[str]) -> list[ScoredImage]:
    """Read images that a run was scored on.

    Args:
        spec: Spec of the run.
        image_ids: Ids of the images, in the order of the result.

    Raises:
        KeyError: An image is not among those that the run was scored on.
        ValueError: Split or dataset are not those of the spec.
    """
    split = load_split_of(spec)
    dataset = open_dataset(split.dataset)
    wanted, images = set(image_ids), {}
    for sample, target in EvalLoader(dataset, split, protocol=spec.protocol, max_images=spec.max_images):
        if sample["image_id"] in wanted:
            images[sample["image_id"]] = ScoredImage(sample, target)
        if len(images) == len(wanted):
            break
    missing = sorted(wanted - images.keys())
    if missing:
        raise KeyError(f"no image {missing[0]!r} among those that {spec.id} was scored on; give ids from its counts")
    return [images[image_id] for image_id in image_ids]


def predict_labels(store: Store, run_id: str, images: Sequence[ScoredImage]) -> list[NDArray[np.int64]]:
    """Predict images with the method of a finished run, on the CPU.

    Args:
        store: Store that holds the run.
        run_id: Id of the run.
        images: Images to predict.

    Returns:
        (H, W) indices of classes of the split, per image.

    Raises:
        ValueError: The run has no checkpoint, or method, split or checkpoint are not those of the run.
    """
    spec = store.run(run_id).read_spec()
    method = restore_method(store, spec)
    pairs = ((image.sample, image.target) for image in images)
    predictions = predict_each(method, method, pairs, device=torch.device("cpu"))
    split = load_split_of(spec)
    counter = Counter(split.classes, split.is_seen, gamma=spec.protocol.gamma)
    return [counter.predict_labels(prediction) for _, prediction, _ in predictions]


def restore_method(store: Store, spec: RunSpec) -> Method:
    """Restore the method of a finished run, in eval mode, with all classes of the split as its vocabulary.

    Raises:
        ValueError: See `predict_labels`.
    """
    split, path = load_split_of(spec), store.run(spec.id).checkpoint_path
    method = build(spec)
    method.set_classes(split.seen)
    iterations = Checkpoint(path, run=spec.digest()).load(method, None)
    if iterations != spec.budget.iterations:
        problem = "is missing" if iterations is None else f"holds {iterations} of {spec.budget.iterations} iterations"
        raise ValueError(f"checkpoint {path} {problem}: copy it from the machine of the run, or run it again")
    method.step_context = StepContext(spec.seed, max(0, spec.budget.iterations - 1), spec.budget.iterations)
    method.set_classes(split.classes)
    method.eval()
    return method
