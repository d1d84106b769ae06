"""Learning-rate schedule of pre-training."""

from __future__ import annotations

import math


def scale_learning_rate(step: int, *, steps: int) -> float:
    """Return the factor on the learning rate: a linear rise over the first 5 % of the steps, then a cosine decay to 0.

    Args:
        step: Current step, from 0.
        steps: Number of steps.
    """
    warmup = max(1, steps // 20)
    return (step + 1) / warmup if step < warmup else (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


def check_steps(steps: int, *, most: int) -> int:
    """Return a number of steps that shortens a training.

    Raises:
        ValueError: The training would be longer.
    """
    if steps > most:
        raise ValueError(f"--steps is {steps}, and the included weights had {most}: give fewer, or leave it out")
    return steps
