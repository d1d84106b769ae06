"""Multi-granularity cross-modal feature alignment (MCFA): losses that teach a student of points or pixels with CLIP."""

from __future__ import annotations

from methods.blocks.mcfa.alignment import (
    FeatureAlignment,
    LabeledPixels,
    McfaConfig,
    StudentFeatures,
    build_feature_alignment,
)
from methods.blocks.mcfa.lattice import make_lattice, read_lattice
from methods.blocks.mcfa.loss_terms import (
    choose_pseudo_labels,
    compute_cross_entropy,
    compute_global_distance,
    compute_local_distance,
)
from methods.blocks.mcfa.teacher import DenseTeacher
from methods.blocks.mcfa.toy import TOY_MCFA

__all__ = [
    "TOY_MCFA",
    "DenseTeacher",
    "FeatureAlignment",
    "LabeledPixels",
    "McfaConfig",
    "StudentFeatures",
    "build_feature_alignment",
    "choose_pseudo_labels",
    "compute_cross_entropy",
    "compute_global_distance",
    "compute_local_distance",
    "make_lattice",
    "read_lattice",
]
