"""Every method and variant, built as for a run on toybox, with tiny inputs for it."""

from __future__ import annotations

import copy
from functools import cache

import torch

from benchmark.core.method import Method, StepContext
from benchmark.core.run_spec import RunSpec
from benchmark.core.seeding import torch_generator
from benchmark.core.split import load_split
from benchmark.core.types import IGNORE, Batch
from benchmark.planning.registry import describe_method, list_methods
from benchmark.planning.resolve import build, resolve

CASES = [f"{name}/{variant}" for name in list_methods() for variant in describe_method(name).variants]
SPLIT = load_split("toybox")


@cache
def spec_of(case: str) -> RunSpec:
    """Return the run of a case, with the presets of toybox."""
    return resolve(case, split=SPLIT.name, seed=0)


@cache
def _initialized(case: str) -> Method:
    method = build(spec_of(case))
    method.set_classes(SPLIT.seen)
    if spec_of(case).budget.init_images:
        with torch.no_grad():
            method.train().initialize([training_batch()])
    return method


def in_training(case: str) -> Method:
    """Return a copy of the method in the middle of its training: seen vocabulary, training mode."""
    method = copy.deepcopy(_initialized(case))
    method.step_context = StepContext(seed=0, iteration=3, iterations=10)
    return method.train()


def in_evaluation(case: str) -> Method:
    """Return a copy of the method as it is evaluated: whole vocabulary, evaluation mode."""
    method = copy.deepcopy(_initialized(case))
    method.set_classes(SPLIT.classes)
    return method.eval()


def training_batch() -> Batch:
    """Return two images of one size, labeled in blocks with seen classes and IGNORE."""
    generator = torch_generator("training batch")
    images = 255 * torch.rand(2, 3, 32, 32, generator=generator)
    blocks = torch.randint(0, len(SPLIT.seen) + 3, (2, 4, 4), generator=generator)
    labels = blocks.masked_fill(blocks >= len(SPLIT.seen), IGNORE).repeat_interleave(8, 1).repeat_interleave(8, 2)
    names = ("first", "second")
    return [
        {"image": image, "height": 32, "width": 32, "file_name": name, "image_id": name, "sem_seg": label}
        for image, label, name in zip(images, labels, names, strict=True)
    ]


def prediction_batch() -> Batch:
    """Return two images of different sizes, with predictions requested at two other sizes."""
    generator = torch_generator("requests")
    wide, high = 255 * torch.rand(3, 32, 48, generator=generator), 255 * torch.rand(3, 48, 24, generator=generator)
    return [
        {"image": wide, "height": 20, "width": 30, "file_name": "wide", "image_id": "wide"},
        {"image": high, "height": 72, "width": 36, "file_name": "high", "image_id": "high"},
    ]
