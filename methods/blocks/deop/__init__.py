"""Parts of DeOP: patch severance, classification anchors, and the loss of class maps without matching."""

from __future__ import annotations

from methods.blocks.deop.anchors import AnchorDecoder, MaskAverage, RegionVectors
from methods.blocks.deop.class_maps import ClassMapLoss, compute_class_maps
from methods.blocks.deop.config import (
    AnchorsConfig,
    ClassMapConfig,
    ExtraPositionsConfig,
    SeveranceConfig,
    check_blocks,
)
from methods.blocks.deop.official import rename_deop
from methods.blocks.deop.severed_encoder import SeveredEncoder
from methods.blocks.pixel_statistics import PixelStatistics, build_normalize

__all__ = [
    "AnchorDecoder",
    "AnchorsConfig",
    "ClassMapConfig",
    "ClassMapLoss",
    "ExtraPositionsConfig",
    "MaskAverage",
    "PixelStatistics",
    "RegionVectors",
    "SeveranceConfig",
    "SeveredEncoder",
    "build_normalize",
    "check_blocks",
    "compute_class_maps",
    "rename_deop",
]
