"""The one import of a method file: `from benchmark.api import ...`."""

from __future__ import annotations

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe, Supervision, Traits
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction

__all__ = [
    "Batch",
    "Budget",
    "Config",
    "Losses",
    "Method",
    "Prediction",
    "Recipe",
    "Split",
    "Supervision",
    "Traits",
]
