"""Losses of matched queries: classification with a weight for no-object, pixel term and dice."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.types import Losses
from methods.blocks.mask_matching.config import MaskMatchingConfig
from methods.blocks.mask_matching.matching import Matches, match_queries
from methods.blocks.mask_matching.points import draw_uncertain_points, read_at_points
from methods.blocks.mask_matching.targets import MaskTargets
from methods.blocks.mask_matching.terms import compute_dice, compute_pixel_term
from methods.blocks.resizing import resize_maps


def compute_matching_losses(
    logits: Sequence[Tensor] | Tensor,
    masks: Sequence[Tensor] | Tensor,
    targets: MaskTargets,
    *,
    config: MaskMatchingConfig,
    generator: torch.Generator | None = None,
) -> Losses:
    """Match the queries of every decoder layer on their own, and compute the weighted losses (deep supervision).

    Args:
        logits: L times (B, Q, K + 1) class logits, the last column for no-object.
        masks: L times (B, Q, h, w) mask logits.
        targets: Target masks.
        config: Weights of matching and losses.
        generator: CPU generator of the sampled points; needed only if `config.sampling` is not None.

    Returns:
        "loss_ce", "loss_mask" and "loss_dice" of the last layer, and the same with "_0", "_1", ... of those before.
    """
    losses: Losses = {}
    for index, (layer_logits, layer_masks) in enumerate(zip(logits, masks, strict=True)):
        suffix = "" if index == len(logits) - 1 else f"_{index}"
        matches = match_queries(layer_logits, layer_masks, targets, config=config, generator=generator)
        pixel_term, dice = compute_mask_losses(layer_masks, targets, matches, config=config, generator=generator)
        losses[f"loss_ce{suffix}"] = compute_class_loss(layer_logits, targets, matches, config=config)
        losses[f"loss_mask{suffix}"], losses[f"loss_dice{suffix}"] = pixel_term, dice
    return losses


def compute_class_loss(logits: Tensor, targets: MaskTargets, matches: Matches, *, config: MaskMatchingConfig) -> Tensor:
    """Compute the weighted cross-entropy of all queries, no-object for those that are matched to nothing.

    Args:
        logits: (B, Q, K + 1) class logits, the last column for no-object.
        targets: Target masks.
        matches: Pairs of queries and target masks.
        config: Weights of the term and of no-object.

    Returns:
        (), a mean that counts each query with its weight.
    """
    no_object = logits.shape[2] - 1
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    labels = torch.full(logits.shape[:2], no_object, dtype=torch.long, device=logits.device)
    labels[matches.images, matches.queries] = targets.classes[matches.images, matches.targets]
    weights = torch.where(labels == no_object, config.no_object_weight, 1.0).to(precise)  # (B, Q)
    terms = F.cross_entropy(precise.flatten(0, 1), labels.flatten(), reduction="none")
    total = weights.sum()
    return config.class_weight * (terms * weights.flatten()).sum() / torch.where(total > 0, total, 1)


def compute_mask_losses(
    masks: Tensor,
    targets: MaskTargets,
    matches: Matches,
    *,
    config: MaskMatchingConfig,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute pixel term and dice of the matched masks, summed and divided by the number of target masks.

    Args:
        masks: (B, Q, h, w) mask logits; on all pixels, they are resized to the targets.
        targets: Target masks.
        matches: Pairs of queries and target masks.
        config: Weights of the terms.
        generator: CPU generator of the sampled points; needed only if `config.sampling` is not None.

    Returns:
        Weighted pixel term () and weighted dice term (), zero without a match.

    Raises:
        ValueError: Points are to be sampled, and the generator is None.
    """
    matched = masks[matches.images, matches.queries]  # (N, h, w)
    matched = matched.to(torch.promote_types(masks.dtype, torch.float32))
    if not len(matched):
        nothing = masks.sum() * 0.0  # keeps the graph of the masks
        return nothing, nothing
    target_masks = targets.masks[matches.images, matches.targets].to(matched.dtype)  # (N, H, W)
    valid = None if targets.valid is None else targets.valid[matches.images]
    pixels, target_pixels, marks = _read_pixels(matched, target_masks, valid, config=config, generator=generator)
    pixel_term = compute_pixel_term(pixels, target_pixels, term=config.mask_term, valid=marks).sum() / targets.total
    dice = compute_dice(pixels, target_pixels, valid=marks).sum() / targets.total
    return config.mask_weight * pixel_term, config.dice_weight * dice


def _read_pixels(
    masks: Tensor,
    targets: Tensor,
    valid: Tensor | None,
    *,
    config: MaskMatchingConfig,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Read predictions (N, h, w), targets (N, H, W) and what counts, (N, H, W), at the pixels of losses: (N, P)."""
    if config.sampling is None:
        large = resize_maps(masks[:, None], targets.shape[1:])
        return large.flatten(1), targets.flatten(1), None if valid is None else valid.flatten(1)
    if generator is None:
        raise ValueError("points are sampled, and the generator is None: give a torch.Generator")
    points = draw_uncertain_points(masks, config=config.sampling, generator=generator)
    marks = None if valid is None else read_at_points(valid[:, None].to(masks), points, mode="nearest")[:, 0] > 0
    return read_at_points(masks[:, None], points)[:, 0], read_at_points(targets[:, None], points)[:, 0], marks
