"""Hungarian matching and mask losses of query-based segmenters, used by zsseg, Split Matching and SAN."""

from __future__ import annotations

from methods.blocks.mask_matching.config import MaskMatchingConfig, PointSamplingConfig
from methods.blocks.mask_matching.losses import compute_class_loss, compute_mask_losses, compute_matching_losses
from methods.blocks.mask_matching.matching import Matches, compute_costs, match_queries
from methods.blocks.mask_matching.targets import MaskTargets, make_mask_targets, stack_mask_targets

__all__ = [
    "MaskMatchingConfig",
    "MaskTargets",
    "Matches",
    "PointSamplingConfig",
    "compute_class_loss",
    "compute_costs",
    "compute_mask_losses",
    "compute_matching_losses",
    "make_mask_targets",
    "match_queries",
    "stack_mask_targets",
]
