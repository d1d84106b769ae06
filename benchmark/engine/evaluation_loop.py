"""The evaluation loop: predict every image and count its pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from benchmark.core.method import Method
from benchmark.core.method_outputs import MethodOutputError, check_predictions, locate_step
from benchmark.core.seeding import seed_globals
from benchmark.core.types import Batch, Prediction, Sample
from benchmark.engine.base import Observer, Progress
from benchmark.engine.device import move_to_device
from benchmark.engine.partial_counts import PartialCounts
from benchmark.evaluation.candidates import LogitsError
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts

Predict = Callable[[Batch], list[Prediction]]


def predict_each(
    predict: Predict, method: Method, data: Iterable[tuple[Sample, Tensor]], *, device: torch.device
) -> Iterator[tuple[Sample, Prediction, Tensor]]:
    """Predict images one at a time, each with its own random streams.

    Gradients are disabled; a method that differentiates in `predict` enables them itself.

    Args:
        predict: Function from a batch to its predictions; the method, or a wrapper that sets its precision.
        method: Method that predicts; it is switched to eval mode.
        data: Samples with their targets (H, W).
        device: Device of the method.

    Yields:
        Sample, prediction with sem_seg (K, H, W), and target (H, W).
    """
    method.eval()
    for sample, target in data:
        yield sample, predict_image(predict, method, sample, device=device), target


def predict_image(predict: Predict, method: Method, sample: Sample, *, device: torch.device) -> Prediction:
    """Predict one image with its own random streams and without gradients.

    Args:
        predict: Function from a batch to its predictions; the method, or a wrapper that sets its precision.
        method: Method that predicts, in eval mode.
        sample: Sample with image (3, H, W).
        device: Device of the method.

    Returns:
        Prediction with sem_seg (K, height, width), at the size that the sample asks for.

    Raises:
        MethodOutputError: The method did not return exactly one prediction of the requested size.
    """
    seed_globals(method.step_context.seed, "evaluate", sample["image_id"])
    with torch.no_grad():
        predictions = predict(move_to_device([sample], device))
    return check_predictions(predictions, [sample], method)[0]


def count_pixels(
    predictions: Iterable[tuple[Sample, Prediction, Tensor]],
    counter: Counter,
    *,
    method: Method,
    observe: Observer,
    total: int,
    done: int,
    partial: PartialCounts,
) -> Counts:
    """Count the pixels of every image.

    Args:
        predictions: Sample, prediction with sem_seg (K, H, W), and target (H, W) of every image that is left.
        counter: Counter that has counted the first `done` images.
        method: Method that predicts.
        observe: Function that is called after every image.
        total: Number of images.
        done: Number of images that an earlier attempt has counted.
        partial: File of the counts so far.

    Returns:
        Counts of all images.

    Raises:
        MethodOutputError: The scores of a prediction cannot be counted.
        KeyboardInterrupt: A stop is requested; the counts so far were saved.
    """
    with partial.defer_stop():
        for number, (sample, prediction, target) in enumerate(predictions, start=done + 1):
            count_image(counter, prediction, target, image_id=sample["image_id"], method=method)
            observe(Progress("evaluate", number, total, {}))
            partial.update(counter, is_last=number == total)
    return counter.compute()


def count_image(counter: Counter, prediction: Prediction, target: Tensor, *, image_id: str, method: Method) -> None:
    """Count the pixels of one image.

    Args:
        counter: Counter that counts them.
        prediction: Prediction with sem_seg (K, H, W).
        target: (H, W) ids of classes.
        image_id: Name that no other image of the counter has.
        method: Method that predicted, for error messages.

    Raises:
        MethodOutputError: The scores of the prediction cannot be counted.
        ValueError: The target cannot be counted.
    """
    try:
        counter.update(prediction, target, image_id=image_id)
    except LogitsError as error:
        raise MethodOutputError(str(error), locate_step(method, "predict")) from error
