"""Hungarian matching of queries and target masks (DETR, arXiv 2005.12872; MaskFormer, arXiv 2107.06278)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from methods.blocks.mask_matching.config import MaskMatchingConfig
from methods.blocks.mask_matching.points import draw_points, read_at_points
from methods.blocks.mask_matching.targets import MaskTargets
from methods.blocks.mask_matching.terms import compute_pairwise_dice, compute_pairwise_pixel_term


@dataclass(frozen=True, eq=False)
class Matches:
    """N pairs of queries and target masks, image by image.

    Attributes:
        images: (N,) long, index of the image of each pair.
        queries: (N,) long, index of the query in its image.
        targets: (N,) long, index of the target mask in its image.
    """

    images: Tensor
    queries: Tensor
    targets: Tensor


@torch.no_grad()
def match_queries(
    logits: Tensor,
    masks: Tensor,
    targets: MaskTargets,
    *,
    config: MaskMatchingConfig,
    generator: torch.Generator | None = None,
) -> Matches:
    """Assign at most one target mask to each query, with the least total cost of each image.

    Args:
        logits: (B, Q, K) class logits, including those of no-object if there are any.
        masks: (B, Q, h, w) mask logits.
        targets: Target masks of any size.
        config: Weights of the terms of the cost.
        generator: CPU generator of the sampled points; needed only if `config.sampling` is not None.

    Returns:
        min(Q, M_b) pairs of each image b with M_b target masks.
    """
    costs = compute_costs(logits, masks, targets, config=config, generator=generator).cpu().double()
    finite = costs.nan_to_num().numpy()  # a loss that is not finite is reported, not its matching
    pairs: list[tuple[int, int, int]] = []
    for image, count in enumerate(targets.counts):
        queries, columns = linear_sum_assignment(finite[image, :, :count])
        pairs += [(image, int(query), int(column)) for query, column in zip(queries, columns, strict=True)]
    table = torch.tensor(pairs, dtype=torch.long, device=masks.device).view(-1, 3)
    return Matches(*table.unbind(dim=1))


@torch.no_grad()
def compute_costs(
    logits: Tensor,
    masks: Tensor,
    targets: MaskTargets,
    *,
    config: MaskMatchingConfig,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Compute the cost of every pair of a query and a target mask.

    On all pixels, targets are reduced to the size of the predictions by nearest neighbors, as MaskFormer does.

    Args:
        logits: (B, Q, K) class logits.
        masks: (B, Q, h, w) mask logits.
        targets: Target masks of any size.
        config: Weights of the terms of the cost.
        generator: CPU generator of the sampled points.

    Returns:
        (B, Q, M); the columns that fill up an image have no meaning.

    Raises:
        ValueError: Points are to be sampled, and the generator is None.
    """
    precise = masks.to(torch.promote_types(masks.dtype, torch.float32))
    sizes = (*masks.shape[:2], targets.masks.shape[1])
    columns = targets.classes[:, None].expand(*sizes)
    cost = -config.class_weight * logits.to(precise.dtype).softmax(dim=-1).gather(2, columns)
    if not columns.numel():
        return cost
    pixels, target_pixels, valid = _read_pixels(precise, targets, config=config, generator=generator)
    pixel_term = compute_pairwise_pixel_term(pixels, target_pixels, term=config.mask_term, valid=valid)
    dice = compute_pairwise_dice(pixels, target_pixels, valid=valid)
    return cost + config.mask_weight * pixel_term + config.dice_weight * dice


def _read_pixels(
    masks: Tensor, targets: MaskTargets, *, config: MaskMatchingConfig, generator: torch.Generator | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return predictions (B, Q, P), targets (B, M, P) and what counts, (B, P) bool or None, at the pixels of costs."""
    target_masks, valid = targets.masks.to(masks.dtype), targets.valid
    maps = None if valid is None else valid[:, None].to(masks.dtype)  # (B, 1, H, W)
    if config.sampling is None:
        size = masks.shape[2:]
        small = F.interpolate(target_masks, size=size, mode="nearest").flatten(2)
        marks = None if maps is None else F.interpolate(maps, size=size, mode="nearest").flatten(1) > 0
        return masks.flatten(2), small, marks
    if generator is None:
        raise ValueError("points are sampled, and the generator is None: give a torch.Generator")
    points = draw_points(len(masks), config.sampling.points, generator=generator, device=masks.device)
    marks = None if maps is None else read_at_points(maps, points, mode="nearest")[:, 0] > 0
    return read_at_points(masks, points), read_at_points(target_masks, points), marks
