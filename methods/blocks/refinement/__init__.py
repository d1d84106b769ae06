"""Refinement of score maps by the colors of the image."""

from __future__ import annotations

from methods.blocks.refinement.dense_crf import DenseCrfConfig, refine_by_dense_crf
from methods.blocks.refinement.pamr import PamrConfig, refine_by_color

__all__ = ["DenseCrfConfig", "PamrConfig", "refine_by_color", "refine_by_dense_crf"]
