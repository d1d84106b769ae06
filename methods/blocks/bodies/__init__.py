"""Trainable segmentation bodies."""

from __future__ import annotations

from methods.blocks.bodies.build import Body, BodyConfig, build_body
from methods.blocks.bodies.smp_body import SmpBodyConfig

__all__ = ["Body", "BodyConfig", "SmpBodyConfig", "build_body"]
