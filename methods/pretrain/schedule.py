"""Learning-rate schedule of the pre-trainings."""

from __future__ import annotations

import math


def warm_cosine(step: int, *, steps: int) -> float:
    """Factor on the learning rate: rises over the first twentieth of the steps, then falls as a cosine to 0."""
    warm = max(1, steps // 20)
    return (step + 1) / warm if step < warm else (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2
