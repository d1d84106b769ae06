"""Every method and variant, as the contract checks build it on toybox, with tiny inputs for it."""

from __future__ import annotations

from functools import lru_cache

import torch

from benchmark.contract.check import make_subjects
from benchmark.contract.samples import make_prediction_batch, make_training_batch
from benchmark.contract.subject import Subject
from benchmark.core.method import Method
from benchmark.core.seeding import torch_generator
from benchmark.core.split import load_split
from benchmark.core.types import IGNORE, Batch
from benchmark.planning.registry import describe_method, list_methods

CASES = [f"{name}/{variant}" for name in list_methods() for variant in describe_method(name).variants]
SPLIT = load_split("toybox")
UNTRAINED = {"kind": "timm", "model": "test_vit", "weights": "random"}
REPLACED = {
    "proxyclip/DINO of patches of 16": {"dense.proxy": UNTRAINED},
    "proxyclip/DINOv2": {"dense.proxy": UNTRAINED},
    "cliper/finer by DINO": {"dense.fine.proxy": UNTRAINED},
}
"""Settings of variants whose weights would have to be downloaded: a tiny random model of the same kind."""
FINE_PACL = ("PACL", "captions of seen classes", "value-path tokens", "pooling scale 10")
SMALLER = {
    "zsseg": {"segmenter.queries": 4},
    "pacl_sup": {"patches.shifts": 2},
    **{f"pacl/{variant}": {"patches.shifts": 2} for variant in FINE_PACL},
}
"""Settings of methods and variants whose time goes to many parts of one kind: each of the 12 regions of an image, or of
its 16 shifted copies, passes CLIP."""


@lru_cache(maxsize=4)  # not all: the methods of every case would fill gigabytes
def subject_of(case: str) -> Subject:
    """Return a variant under test, with the presets of toybox."""
    overrides = SMALLER.get(case.partition("/")[0], {}) | SMALLER.get(case, {}) | REPLACED.get(case, {})
    return next(make_subjects(case, split=SPLIT.name, overrides=overrides))


def in_training(case: str) -> Method:
    """Return a copy of the method in the middle of its training."""
    return subject_of(case).in_training()


def in_evaluation(case: str) -> Method:
    """Return a copy of the method as it is evaluated."""
    return subject_of(case).in_evaluation()


def training_batch() -> Batch:
    """Return two images of one size with labels."""
    return make_training_batch(len(SPLIT.seen))


def make_padded_batch(case: str, content: str = "") -> Batch:
    """Return a batch whose first image is padded: to 13 x 32 valid pixels of 32 x 32, with content of that name."""
    first, second = subject_of(case).make_training_batch()
    noise = 255 * torch.rand(3, 32, 32, generator=torch_generator("padding", content))
    image, labels = noise.clone(), first["sem_seg"].clone()
    image[:, :13] = first["image"][:, :13]
    labels[13:] = IGNORE
    if "points_uv" in first:
        first = {**first, "points_valid": first["points_valid"] & (first["points_uv"][:, 1] < 13)}
    return [{**first, "image": image, "sem_seg": labels, "valid_size": (13, 32)}, {**second, "valid_size": (32, 32)}]


def prediction_batch() -> Batch:
    """Return two images of different sizes."""
    return make_prediction_batch()
