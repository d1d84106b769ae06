"""Pseudo regions of unlabeled pixels: clusters of CLIP's dense embeddings (a reconstruction, shared by two methods)."""

from __future__ import annotations

from methods.blocks.region_clustering.clusters import (
    assign_to_seeds,
    cluster_patches,
    compute_window_means,
    merge_similar_clusters,
)
from methods.blocks.region_clustering.regions import (
    NO_REGION,
    RegionConfig,
    Regions,
    RegionTeacher,
    add_regions,
    mark_unlabeled,
    pool_by_region,
    select_unlabeled,
)
from methods.blocks.region_clustering.synthesizer import Synthesizer, check_synthesizer_fits

__all__ = [
    "NO_REGION",
    "RegionConfig",
    "RegionTeacher",
    "Regions",
    "Synthesizer",
    "add_regions",
    "assign_to_seeds",
    "check_synthesizer_fits",
    "cluster_patches",
    "compute_window_means",
    "mark_unlabeled",
    "merge_similar_clusters",
    "pool_by_region",
    "select_unlabeled",
]
