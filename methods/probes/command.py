"""Measurement of the alignment of a finished run of Chimera-Seg."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split
from benchmark.core.types import Batch, Prediction
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine.device import move_to_device
from benchmark.engine.evaluation_loop import predict_image
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.scores import Convention, Scores, score
from benchmark.planning.resolve import load_split_of
from benchmark.qualitative.predict import restore_method
from benchmark.store.store import Store
from methods.chimera_seg import ChimeraSeg
from methods.probes.alignment import PredictOne, fit_probes, make_predictors

Report = Callable[[int, int], None]
"""Called after each image with its number and the number of images."""


def measure_alignment(
    store: Store, spec: RunSpec, *, fit_images: int, convention: Convention, report: Report
) -> dict[str, Scores]:
    """Score a finished run at every stage, on the images that the run was scored on.

    Args:
        store: Store that holds the run.
        spec: Spec of the run.
        fit_images: Number of training images that the linear probes are fitted to.
        convention: Treatment of classes without ground truth.
        report: Called after each image.

    Returns:
        Name of the stage to its scores.

    Raises:
        ValueError: The method is not Chimera-Seg, or its checkpoint is missing or not that of the run.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    method, split = restore_method(store, spec, device=device), load_split_of(spec)
    if not isinstance(method, ChimeraSeg):
        raise ValueError(f"{spec.id} is a run of {spec.method}, and only runs of chimera_seg have a head to probe")
    predictors = make_predictors(method, fit_probes(method, _load_init_batches(spec, split, fit_images, device)))
    counters = {name: Counter(split.classes, split.is_seen, gamma=spec.protocol.gamma) for name in predictors}
    images = EvalLoader(open_dataset(split.dataset), split, protocol=spec.protocol, max_images=spec.max_images)
    for number, (sample, target) in enumerate(images, start=1):
        for name, predict in predictors.items():
            prediction = predict_image(_accept_batches(predict), method, sample, device=device)
            counters[name].update(prediction, target, image_id=sample["image_id"])
        report(number, len(images))
    return {name: score(counter.compute(), convention) for name, counter in counters.items()}


def _load_init_batches(spec: RunSpec, split: Split, count: int, device: torch.device) -> Iterator[Batch]:
    """Yield the images that the run was initialized from, or the first ones of them."""
    dataset, batch_size = open_dataset(split.dataset), spec.budget.batch_size
    train = TrainLoader(dataset, split, protocol=spec.protocol, batch_size=batch_size, seed=spec.seed)
    return (move_to_device(batch, device) for batch in train.init_batches(count))


def _accept_batches(predict: PredictOne) -> Callable[[Batch], list[Prediction]]:
    return lambda batch: [predict(sample) for sample in batch]
