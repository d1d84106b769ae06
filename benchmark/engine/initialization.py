"""Data-dependent initialization of a method before its first iteration."""

from __future__ import annotations

import torch

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext
from benchmark.core.seeding import seed_globals
from benchmark.core.trainable_state import get_trainable_state
from benchmark.data.loader import TrainLoader
from benchmark.engine.device import move_to_device


def initialize_method(method: Method, data: TrainLoader, *, budget: Budget, seed: int, device: torch.device) -> None:
    """Call `Method.initialize` with training images, in training mode and without gradients.

    Args:
        method: Method on its device.
        data: Loader of the training images.
        budget: Budget whose `init_images` limits the number of images; with 0 images nothing happens.
        seed: Seed of the random draws.
        device: Device of the method.

    Raises:
        ValueError: The method changed a tensor that is not part of checkpoints, so a resumed run would differ.
    """
    if not budget.init_images:
        return
    method.train()
    method.step_context = StepContext(seed, 0, budget.iterations)
    seed_globals(seed, "initialise")  # part of the RNG key
    versions_before = _get_frozen_versions(method)
    with torch.no_grad():
        method.initialize(
            move_to_device(batch, device)
            for batch in data.init_batches(budget.init_images, micro_batches=budget.micro_batches)
        )
    versions_after = _get_frozen_versions(method)
    changed = [name for name, version in versions_after.items() if versions_before.get(name) != version]
    if changed:
        raise ValueError(
            f"initialize changed {', '.join(changed[:3])}, which are frozen and therefore not part of checkpoints: "
            "do not freeze them"
        )


def _get_frozen_versions(method: Method) -> dict[str, tuple[int, int]]:
    """Return memory address and write count of each tensor that is not part of checkpoints, by name."""
    saved_names = get_trainable_state(method).keys()
    return {
        name: (value.data_ptr(), value._version)
        for name, value in method.state_dict().items()
        if name not in saved_names
    }
