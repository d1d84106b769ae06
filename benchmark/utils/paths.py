"""Folders of the installed tree."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds `benchmark`, `methods`, `splits` and `slurm` side by side, in a checkout and when installed."""
