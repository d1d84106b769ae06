"""What a finished run makes of single images: its method rebuilt from spec and checkpoint, its answers as label maps.

On the CPU and in float32, whatever the run used: a pixel on the edge may fall to the other side.
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
from benchmark.planning.resolve import build, split_of
from benchmark.store.store import Store


@dataclass(frozen=True, eq=False)
class Scene:
    """One image that is scored.

    Attributes:
        sample: as a method gets it.
        truth: (H, W) long, an index into the classes of the split or 255.
    """

    sample: Sample
    truth: Tensor

    @property
    def picture(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB, of the size of the truth."""
        image = resize_image(self.sample["image"], (self.sample["height"], self.sample["width"]), antialias=True)
        return image.permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).cpu().numpy()

    @property
    def labels(self) -> NDArray[np.int64]:
        """The truth as an array."""
        return self.truth.cpu().numpy()


def read_scenes(spec: RunSpec, image_ids: Sequence[str]) -> list[Scene]:
    """The images of these ids from what a run was scored on, in the order of the ids.

    Raises:
        KeyError: one is not among them.
        ValueError: split or data are not those of the spec.
    """
    split = split_of(spec)
    wanted, found = set(image_ids), {}
    for sample, truth in EvalLoader(
        open_dataset(split.dataset), split, protocol=spec.protocol, max_images=spec.max_images
    ):
        if sample["image_id"] in wanted:
            found[sample["image_id"]] = Scene(sample, truth)
        if len(found) == len(wanted):
            break
    missing = sorted(wanted - found.keys())
    if missing:
        raise KeyError(f"no image {missing[0]!r} among those that {spec.id} was scored on; give ids out of its counts")
    return [found[image_id] for image_id in image_ids]


def predict_labels(store: Store, run_id: str, scenes: Sequence[Scene]) -> list[NDArray[np.int64]]:
    """What a run predicts for images, (H, W) indices into the classes of the split each; on the CPU.

    Raises:
        ValueError: the run has no checkpoint, or method, split or checkpoint are not those of the run.
    """
    spec = store.run(run_id).read_spec()
    method = restore(store, spec)
    pairs = ((scene.sample, scene.truth) for scene in scenes)
    answers = predict_each(method, method, pairs, device=torch.device("cpu"))
    split = split_of(spec)
    counter = Counter(split.classes, split.is_seen, gamma=spec.protocol.gamma)
    return [counter.predict_labels(prediction) for _, prediction, _ in answers]


def restore(store: Store, spec: RunSpec) -> Method:
    """The method of a finished run, its vocabulary all classes of the split, in evaluation mode.

    Raises:
        ValueError: see `predict_labels`.
    """
    split, path = split_of(spec), store.run(spec.id).checkpoint_path
    method = build(spec)
    method.set_classes(split.seen)
    done = Checkpoint(path, run=spec.digest()).load(method, None)
    if done != spec.budget.iterations:
        stands = "is missing" if done is None else f"holds {done} of {spec.budget.iterations} iterations"
        raise ValueError(f"checkpoint {path} {stands}: copy it from where the run took place, or run it again")
    method.step_context = StepContext(spec.seed, max(0, spec.budget.iterations - 1), spec.budget.iterations)
    method.set_classes(split.classes)
    method.eval()
    return method
