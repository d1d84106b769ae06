"""The closed-form start: training begins with what was fitted, also with a fresh body."""

from __future__ import annotations

import copy
from functools import cache
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.split import load_split
from benchmark.core.trainable_state import get_trainable_state
from benchmark.core.types import Batch
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import TrainLoader
from benchmark.engine.checkpoint import digest_state
from benchmark.engine.device import move_to_device
from benchmark.engine.initialization import initialize_method
from benchmark.planning.method_setup import load_protocol_of
from benchmark.planning.resolve import build, resolve
from methods.blocks import CshConfig, stack_images, to_map
from methods.chimera_seg import ChimeraSeg

SPLIT, CPU = load_split("toybox"), torch.device("cpu")
FRESH_BODY = {"body.weights": None, "body.sha256": ""}


@cache
def load_data() -> TrainLoader:
    return TrainLoader(open_dataset("toybox"), SPLIT, protocol=load_protocol_of(SPLIT), batch_size=16, seed=0)


@cache
def make_initialized(variant: str) -> ChimeraSeg:
    """Return a variant with a fresh body, whose head is fitted to 256 images."""
    spec = resolve(f"chimera_seg/{variant}", split=SPLIT.name, seed=0, overrides=FRESH_BODY)
    method = cast(ChimeraSeg, build(spec))
    method.set_classes(SPLIT.seen)
    initialize_method(method, load_data(), budget=spec.budget, seed=0, device=CPU)
    return method


@torch.no_grad()
def compute_target(method: ChimeraSeg, batch: Batch) -> Tensor:
    """Return the dense map of CLIP that CSH imitates, (B, D, h, w) unit vectors."""
    encoder, csh = method.image_encoder, CshConfig()
    tokens, grid = encoder.embed(method.normalize(stack_images(batch, stride=encoder.patch_size)))
    dense = encoder.run_last_blocks(tokens, start=0, attention=csh.attention, tail=csh.tail)
    return F.normalize(to_map(dense[:, 1:], grid), dim=1)


@torch.no_grad()
def measure_cosine(method: ChimeraSeg, batches: list[Batch], *, training: bool) -> float:
    """Return the mean cosine of a method's embeddings with their target."""
    method = copy.deepcopy(method)  # batch norms change in training mode
    method.train(training)
    cosines = []
    for batch in batches:
        target = compute_target(method, batch)
        dense = F.interpolate(method.embed(batch)[0], size=target.shape[2:], mode="area")
        cosines.append(F.cosine_similarity(dense, target).mean())
    return float(torch.stack(cosines).mean())


@cache
def get_first_batches() -> list[Batch]:
    return [move_to_device(batch, CPU) for batch in load_data().batches(0, 4)]


@cache
def get_init_batches() -> list[Batch]:
    return [move_to_device(batch, CPU) for batch in load_data().init_batches(96)]


@pytest.mark.parametrize("variant", ["Chimera-Seg", "no CSH", "full-CLIP head", "no CSH, two-layer MLP"])
def test_the_first_iterations_see_what_was_fitted(variant: str) -> None:
    method = make_initialized(variant)
    fitted = measure_cosine(method, get_init_batches(), training=True)
    assert measure_cosine(method, get_first_batches(), training=True) == pytest.approx(fitted, abs=0.05)


def test_evaluation_before_training_sees_what_was_fitted() -> None:
    method = make_initialized("Chimera-Seg")
    in_evaluation = measure_cosine(method, get_first_batches(), training=False)
    assert in_evaluation == pytest.approx(measure_cosine(method, get_first_batches(), training=True), abs=0.02)


def test_the_first_iterations_are_closer_to_clip_than_the_best_constant() -> None:
    method = make_initialized("Chimera-Seg")
    target = torch.cat([compute_target(method, batch) for batch in get_first_batches()])
    constant = F.cosine_similarity(target, target.mean(dim=(0, 2, 3), keepdim=True)).mean()
    assert measure_cosine(method, get_first_batches(), training=True) > float(constant) + 0.02


@pytest.mark.parametrize("variant", ["no CSH", "no CSH, two-layer MLP"])
def test_replacements_of_csh_start_from_the_dense_map_of_csh(variant: str) -> None:
    cosine, other_cosine = (
        measure_cosine(make_initialized(name), get_init_batches(), training=True)
        for name in (variant, f"{variant}, value-path start")
    )
    assert cosine > other_cosine + 0.03


def test_calibrated_statistics_are_part_of_checkpoints() -> None:
    saved = get_trainable_state(make_initialized("Chimera-Seg"))
    statistics = {name: value for name, value in saved.items() if name.endswith("running_mean")}
    assert len(statistics) > 10 and all(value.abs().sum() > 0 for value in statistics.values())


def test_initialization_repeats_to_the_last_bit() -> None:
    first, second = make_initialized("Chimera-Seg"), make_initialized.__wrapped__("Chimera-Seg")
    assert digest_state(first) == digest_state(second)
