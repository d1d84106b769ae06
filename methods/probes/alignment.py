"""How well a trained Chimera-Seg is aligned with class embeddings before and after its frozen blocks.

A linear probe (Alain and Bengio, arXiv 1610.01644) is a linear map of frozen features. Here it is fitted in closed form
to dense embeddings, on training images without labels, so it knows no class:

- fitted to CLIP's dense map, it measures how much of CLIP the features already hold;
- fitted to the head's own output, it measures how much of the head a linear map could replace. What the head scores
  above this probe of its tokens is what the frozen blocks add by mixing positions and by their MLP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.types import Batch, Prediction, Sample
from methods.blocks import (
    compute_inner_products,
    count_valid_positions,
    map_without_padding,
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

PredictOne = Callable[[Sample], Prediction]


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
def fit_probes(method: ChimeraSeg, batches: Iterable[Batch]) -> dict[str, Stage]:
    """Fit a linear probe of every stage to CLIP's dense map and to the head's output.

    Args:
        method: Trained Chimera-Seg, in eval mode.
        batches: Training images; labels are not used.

    Returns:
        Name of the probe to the function from features (B, C, h, w) to dense embeddings (B, D, h, w).
    """
    stages = list_stages(method)
    ridges = {name: Ridge() for name in stages}
    for batch in batches:
        for features, tokens, grid in method.extract_pairs(batch):
            dense = method.image_encoder.run_last_blocks(
                tokens, start=0, attention=method.head.attention, tail=method.head.tail
            )
            of_clip = F.normalize(dense[:, 1:], dim=2).flatten(0, 1)  # (B·h·w, D)
            of_head = pool_to_grid(F.normalize(method.head(features), dim=1), grid)  # (B·h·w, D)
            for name, stage in stages.items():
                ridges[name].add(pool_to_grid(stage(features), grid), torch.cat([of_clip, of_head], dim=1))
    probes: dict[str, Stage] = {}
    for name, stage in stages.items():
        weight, bias = ridges[name].solve()
        for target, rows in {"CLIP": slice(None, len(bias) // 2), "head": slice(len(bias) // 2, None)}.items():
            probes[f"linear map of {name} to {target}"] = partial(_apply_linear, stage, weight[rows], bias[rows])
    return probes


def _apply_linear(stage: Stage, weight: Tensor, bias: Tensor, features: Tensor) -> Tensor:
    """Map the output of a stage linearly: features (B, C, h, w) to (B, D, h, w)."""
    return F.conv2d(stage(features), weight[:, :, None, None], bias)


def make_predictors(method: ChimeraSeg, probes: Mapping[str, Stage]) -> dict[str, PredictOne]:
    """Return functions that classify an image by its cosines with the class embeddings, from CLIP to the whole method.

    Args:
        method: Trained Chimera-Seg, in eval mode, with all classes as its vocabulary.
        probes: Linear probes by name.
    """
    predictors: dict[str, PredictOne] = {"CLIP's dense map": partial(_predict_by_clip, method)}
    maps: dict[str, Stage] = {**probes, "head": method.head}
    for name, probe in maps.items():
        predictors[name] = partial(_predict_by_map, method, probe)
    return predictors | {"prediction": lambda sample: method.predict([sample])[0]}


def _predict_by_map(method: ChimeraSeg, dense_map: Stage, sample: Sample) -> Prediction:
    """Classify the dense embeddings of an image, without SAM."""
    images = stack_images([sample], stride=method.body.stride)
    features, grids = method.body(images), count_valid_positions([sample], stride=method.body.stride)
    dense = F.normalize(map_without_padding(dense_map, features, grids).float(), dim=1)
    return _classify(method, dense, sample, padded=(images.shape[2], images.shape[3]))


def _predict_by_clip(method: ChimeraSeg, sample: Sample) -> Prediction:
    """Classify CLIP's dense map of an image under the attention and tail that the head imitates."""
    tokens, grid = method.compute_clip_tokens(sample["image"].unsqueeze(0))
    head, encoder = method.head, method.image_encoder
    dense = encoder.run_last_blocks(tokens, start=0, attention=head.attention, tail=head.tail)
    unit_vectors = F.normalize(to_map(dense[:, 1:], grid).float(), dim=1)
    height, width = sample["image"].shape[1:]
    return _classify(method, unit_vectors, sample, padded=(height, width))


def _classify(method: ChimeraSeg, dense: Tensor, sample: Sample, *, padded: tuple[int, int]) -> Prediction:
    """Classify unit vectors (1, D, h, w) by scaled cosines with the class embeddings as they are."""
    logits = method.log_scale.exp() * compute_inner_products(dense, method.text())
    return to_predictions(logits, [sample], padded=padded)[0]
