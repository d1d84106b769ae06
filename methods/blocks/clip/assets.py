"""Files of the toy backbones that are included in the package, and names of weights that are no tags of open_clip."""

from __future__ import annotations

from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"
TOY_MODEL = "toy-ViT-8"
TOY_WEIGHTS = ASSETS / "toy_clip.safetensors"

TOY = "toy"
"""Weights of the toy model."""

RANDOM = "random"
"""Untrained weights, identical in every run: for checking that runs work when no real weights are available."""
