"""The device of a training or evaluation, and the transfer of batches to it."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.core.types import Batch, Sample


def choose_device() -> torch.device:
    """Return the first CUDA device, or the CPU if there is no CUDA device."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def move_to_device(batch: Batch, device: torch.device) -> Batch:
    """Copy the tensors of a batch to a device and convert them to the types that methods compute with.

    Args:
        batch: Samples as a loader returns them: image (3, H, W) of any type, sem_seg (H, W) of any integer type and
            unlabeled (H, W) bool, the last two only if present, and points as in `Sample`, if present.
        device: Device of the returned tensors.

    Returns:
        New samples with image as float and labels as long.
    """
    return [_move_sample(sample, device) for sample in batch]


def _move_sample(sample: Sample, device: torch.device) -> Sample:
    moved = sample.copy()
    moved["image"] = _copy(sample["image"], device).float()
    if "sem_seg" in sample:
        moved["sem_seg"] = _copy(sample["sem_seg"], device).long()
    if "unlabeled" in sample:
        moved["unlabeled"] = _copy(sample["unlabeled"], device)
    if "points" in sample:
        moved["points"] = _copy(sample["points"], device)
        moved["points_uv"] = _copy(sample["points_uv"], device)
        moved["points_valid"] = _copy(sample["points_valid"], device)
    if "point_sem_seg" in sample:
        moved["point_sem_seg"] = _copy(sample["point_sem_seg"], device).long()
    return moved


def _copy(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device; a copy to a GPU is only started."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()  # from other memory, a copy waits for the work that the GPU still has
    return tensor.to(device, non_blocking=True)
