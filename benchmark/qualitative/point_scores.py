"""Scores of finished runs on points instead of pixels."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.core.method import Supervision
from benchmark.core.run_spec import RunSpec
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader
from benchmark.engine.device import choose_device
from benchmark.engine.evaluation_loop import predict_image
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.point_counts import count_points
from benchmark.evaluation.scores import Convention, Scores, score
from benchmark.planning.resolve import load_split_of
from benchmark.qualitative.predict import restore_method
from benchmark.store.store import Store

Report = Callable[[int, int], None]
"""Called after each image with its number and the number of images."""


def score_points(store: Store, spec: RunSpec, *, convention: Convention, report: Report) -> Scores:
    """Score a finished run on the points of the scenes whose images it was scored on.

    All labeled points count, also those that no pixel shows.

    Args:
        store: Store that holds the run.
        spec: Spec of the run.
        convention: Treatment of classes without ground truth.
        report: Called after each image.

    Raises:
        ValueError: The dataset has no points, the method scores none, or its checkpoint is missing or not that of the
            run.
    """
    split, device = load_split_of(spec), choose_device()
    loader = EvalLoader(
        open_dataset(split.dataset),
        split,
        protocol=spec.protocol,
        max_images=spec.max_images,
        supervision=Supervision.POINTS,
    )
    method = restore_method(store, spec, device=device)
    counter = Counter(split.classes, split.is_seen, gamma=spec.protocol.gamma)
    for index in range(len(loader)):
        sample, _ = loader.sample(index)
        prediction = predict_image(method, method, sample, device=device)
        if "point_logits" not in prediction:
            raise ValueError(f"{spec.id} is a run of {spec.method}, which scores pixels and no points")
        count_points(counter, prediction["point_logits"], loader.read_point_target(index), image_id=sample["image_id"])
        report(index + 1, len(loader))
    return score(counter.compute(), convention)
