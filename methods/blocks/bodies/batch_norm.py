"""Check that batch norm gets enough images to normalize over."""

from __future__ import annotations

from benchmark.core.budget import Budget


def check_images_per_pass(budget: Budget, *, layer: str) -> None:
    """Check that every forward pass of the training has several images, for batch norm after a global average pooling.

    Args:
        budget: Training budget.
        layer: Layer that normalizes one value per image and channel, for the error message.

    Raises:
        ValueError: A forward pass has one image.
    """
    size, parts = budget.batch_size, budget.micro_batches
    if not budget.iterations or size // parts > 1:
        return
    parted = f" in budget.micro_batches={parts}" if parts > 1 else ""
    raise ValueError(
        f"budget.batch_size={size}{parted} gives one image per forward pass, and batch norm in {layer} needs at least "
        f"two: set budget.batch_size to {2 * parts} or more"
    )
