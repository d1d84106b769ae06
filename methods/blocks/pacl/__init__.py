"""Patch aligned contrastive learning (PACL): a small trained embedder of CLIP's frozen patch tokens."""

from __future__ import annotations

from methods.blocks.pacl.aligned_patches import (
    AlignedPatches,
    AlignedPatchesConfig,
    VisionEmbedder,
    check_shifts_fit,
)
from methods.blocks.pacl.captions import CaptionEncoder, describe_seen
from methods.blocks.pacl.pair_loss import compute_compatibility, compute_pair_loss
from methods.blocks.pacl.shifted_passes import run_shifted

__all__ = [
    "AlignedPatches",
    "AlignedPatchesConfig",
    "CaptionEncoder",
    "VisionEmbedder",
    "check_shifts_fit",
    "compute_compatibility",
    "compute_pair_loss",
    "describe_seen",
    "run_shifted",
]
