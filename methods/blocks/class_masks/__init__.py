"""Losses and predictions of one mask per class, each a sigmoid by itself."""

from __future__ import annotations

from methods.blocks.class_masks.loss import ClassMaskConfig, ClassMaskLoss
from methods.blocks.class_masks.predictions import ClassMaskPrediction, predict_class_masks
from methods.blocks.class_masks.terms import ClassMaskTerms, compute_class_mask_terms

__all__ = [
    "ClassMaskConfig",
    "ClassMaskLoss",
    "ClassMaskPrediction",
    "ClassMaskTerms",
    "compute_class_mask_terms",
    "predict_class_masks",
]
