"""Folders of the installed tree."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Folder that contains `benchmark`, `methods`, `splits` and `slurm`, in a checkout and when installed."""
