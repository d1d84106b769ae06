"""Candidate queries of Split Matching: their regions, embeddings and contrastive loss, and the enhanced features."""

from __future__ import annotations

from methods.blocks.candidate_regions.enhancement import Enhancement
from methods.blocks.candidate_regions.targets import CandidateConfig, CandidateRegions, RegionContrast
from methods.blocks.region_clustering import Regions, mark_unlabeled

__all__ = ["CandidateConfig", "CandidateRegions", "Enhancement", "RegionContrast", "Regions", "mark_unlabeled"]
