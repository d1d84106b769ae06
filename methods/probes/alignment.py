"""How well a trained Chimera-Seg is aligned with class embeddings before and after its frozen blocks.

A linear probe (Alain and Bengio, arXiv 1610.01644) is a linear map of frozen features. Here it is fitted in closed form
to dense embeddings, on training images without labels, so it knows no class:

- fitted to CLIP's dense map and compared with the class embeddings as they are, it measures how much of CLIP the
  features already hold;
- fitted to the head's own output and put in its place, with SAM, it measures how much of the head a linear map could
  replace. What the method scores above this probe of the tokens is what the frozen blocks add by mixing positions and
  by their MLP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.types import Batch, Prediction, Sample
from methods.blocks import (
    compute_inner_products,
    count_valid_positions,
    map_without_padding,
    mark_valid_positions,
    stack_images,
    to_map,
    to_predictions,
)
from methods.blocks.heads.csh import ClipSemanticHead
from methods.blocks.heads.head import RandomlyStartedHead, pool_to_grid
from methods.blocks.ridge import Ridge
from methods.chimera_seg import ChimeraSeg

Stage = Callable[[Tensor], Tensor]
"""Function from features of the body (B, C, h, w) to a map (B, X, h, w)."""

Classify = Callable[[ChimeraSeg, Tensor, Tensor | None], Tensor]
"""Function from a method, dense unit vectors (B, D, h, w) and valid positions (B, h·w) to logits (B, K, h, w)."""

PredictOne = Callable[[Sample], Prediction]


@dataclass(frozen=True)
class Probes:
    """Linear probes by the stage that they read: functions from features (B, C, h, w) to embeddings (B, D, h, w).

    Attributes:
        to_clip: Probes that are fitted to CLIP's dense map.
        to_head: Probes that are fitted to the output of the head.
    """

    to_clip: Mapping[str, Stage]
    to_head: Mapping[str, Stage]


def list_stages(method: ChimeraSeg) -> dict[str, Stage]:
    """Return what a probe reads: the features of the body, and the tokens before the frozen blocks if there are any.

    Args:
        method: Trained Chimera-Seg.
    """
    head = method.head.head if isinstance(method.head, RandomlyStartedHead) else method.head
    stages: dict[str, Stage] = {"features": lambda features: features}
    if isinstance(head, ClipSemanticHead):
        stages["tokens"] = partial(_compute_patch_tokens, head)
    return stages


def _compute_patch_tokens(head: ClipSemanticHead, features: Tensor) -> Tensor:
    """Compute the patch tokens before the frozen blocks: (B, C, h, w) to (B, width, h, w)."""
    tokens = head.compute_tokens(features)[:, head.class_token.count :]
    return to_map(tokens, (features.shape[2], features.shape[3]))


@torch.no_grad()
def fit_probes(method: ChimeraSeg, batches: Iterable[Batch]) -> Probes:
    """Fit a linear probe of every stage to CLIP's dense map and to the head's output.

    Args:
        method: Trained Chimera-Seg, in eval mode.
        batches: Training images; labels are not used.
    """
    stages = list_stages(method)
    ridges = {name: Ridge() for name in stages}
    for batch in batches:
        for features, tokens, grid in method.extract_pairs(batch):
            dense = method.image_encoder.run_last_blocks(
                tokens, start=0, attention=method.head.attention, tail=method.head.tail, grid=grid
            )
            of_clip = F.normalize(dense[:, method.image_encoder.num_prefix :], dim=2).flatten(0, 1)  # (B·h·w, D)
            of_head = pool_to_grid(F.normalize(method.head(features), dim=1), grid)  # (B·h·w, D)
            for name, stage in stages.items():
                ridges[name].add(pool_to_grid(stage(features), grid), torch.cat([of_clip, of_head], dim=1))
    to_clip, to_head = {}, {}
    for name, stage in stages.items():
        weight, bias = ridges[name].solve()
        (clip_weight, head_weight), (clip_bias, head_bias) = weight.chunk(2), bias.chunk(2)
        to_clip[name] = partial(_apply_linear, stage, clip_weight, clip_bias)
        to_head[name] = partial(_apply_linear, stage, head_weight, head_bias)
    return Probes(to_clip, to_head)


def _apply_linear(stage: Stage, weight: Tensor, bias: Tensor, features: Tensor) -> Tensor:
    """Map the output of a stage linearly: features (B, C, h, w) to (B, D, h, w)."""
    return F.conv2d(stage(features), weight[:, :, None, None], bias)


def make_predictors(method: ChimeraSeg, probes: Probes) -> dict[str, PredictOne]:
    """Return functions that classify an image, from CLIP to the whole method.

    Args:
        method: Trained Chimera-Seg, in eval mode, with all classes as its vocabulary.
        probes: Linear probes of the method.
    """
    predictors: dict[str, PredictOne] = {"CLIP's dense map": partial(_predict_by_clip, method)}
    for name, probe in probes.to_clip.items():
        predictors[f"linear map of {name} to CLIP"] = partial(_predict_by_map, method, probe, classify=_classify)
    aligned = partial(_predict_by_map, method, classify=ChimeraSeg.classify)
    for name, probe in probes.to_head.items():
        predictors[f"linear map of {name} in place of the head"] = partial(aligned, probe)
    predictors["head without SAM"] = partial(_predict_by_map, method, method.head, classify=_classify)
    return predictors | {"prediction": partial(aligned, method.head)}


def _predict_by_map(method: ChimeraSeg, dense_map: Stage, sample: Sample, *, classify: Classify) -> Prediction:
    """Classify the dense embeddings of an image."""
    images = stack_images([sample], stride=method.body.stride)
    features, grids = method.body(images), count_valid_positions([sample], stride=method.body.stride)
    dense = F.normalize(map_without_padding(dense_map, features, grids).float(), dim=1)
    is_valid = mark_valid_positions(grids, (dense.shape[2], dense.shape[3]), device=dense.device)
    return to_predictions(classify(method, dense, is_valid), [sample], padded=images.shape[2:])[0]


def _predict_by_clip(method: ChimeraSeg, sample: Sample) -> Prediction:
    """Classify CLIP's dense map of an image under the attention and tail that the head imitates."""
    tokens, grid = method.compute_clip_tokens(sample["image"].unsqueeze(0))
    head, encoder = method.head, method.image_encoder
    dense = encoder.run_last_blocks(tokens, start=0, attention=head.attention, tail=head.tail, grid=grid)
    unit_vectors = F.normalize(to_map(dense[:, encoder.num_prefix :], grid).float(), dim=1)
    return to_predictions(_classify(method, unit_vectors, None), [sample], padded=sample["image"].shape[1:])[0]


def _classify(method: ChimeraSeg, dense: Tensor, is_valid: Tensor | None) -> Tensor:
    """Compute scaled cosines with the class embeddings as they are: (B, D, h, w) to (B, K, h, w)."""
    return method.log_scale.exp() * compute_inner_products(dense, method.text())
