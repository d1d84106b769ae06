"""Checks of a run before it starts: what would make it fail, or score other images than asked for."""

from __future__ import annotations

from benchmark.core.split import Split
from benchmark.data.catalog import open_dataset
from benchmark.planning.method_setup import MethodSetup


def check_run(setup: MethodSetup, *, max_images: int) -> None:
    """Check that a run can be built from its settings, is trained if it must be, and has the images to score.

    A method with a published checkpoint is built, as only its own tensors say whether the file is that of the method.

    Args:
        setup: All settings of the method.
        max_images: Number of evaluation images to score; 0 for all.

    Raises:
        KeyError: A name in the config is unknown; the message names the nearest.
        ValueError: A file is missing or does not fit, parts of the config do not fit each other or the budget, nothing
            would be trained, or there are fewer images.
    """
    _check_training(setup)
    setup.config.check_plan(setup.budget)
    if setup.weights is not None:
        setup.build(seed=0)
    _check_size(setup.split, max_images)


def _check_training(setup: MethodSetup) -> None:
    usual = setup.recipe.budget_for(setup.split.dataset).iterations
    if usual and not setup.budget.iterations and not setup.budget.init_images and setup.weights is None:
        raise ValueError(
            f"budget.iterations=0: {setup.variant!r} is trained ({usual} iterations by default), and would be scored "
            "with random weights: set budget.iterations to 1 or more"
            + (", or give a published checkpoint as weights" if setup.recipe.convert_official is not None else "")
        )


def _check_size(split: Split, max_images: int) -> None:
    if not max_images:
        return
    size = open_dataset(split.dataset).size(split.evaluate)
    if max_images > size:
        raise ValueError(
            f"max_images={max_images}: subset {split.evaluate!r} of {split.dataset} has {size} images; give at most "
            f"{size}, or 0 for all"
        )
