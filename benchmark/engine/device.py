"""The device of a training or evaluation, and the transfer of batches to it."""

from __future__ import annotations

import torch

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
    moved["image"] = sample["image"].to(device, non_blocking=True).float()
    if "sem_seg" in sample:
        moved["sem_seg"] = sample["sem_seg"].to(device, non_blocking=True).long()
    if "unlabeled" in sample:
        moved["unlabeled"] = sample["unlabeled"].to(device, non_blocking=True)
    if "points" in sample:
        moved["points"] = sample["points"].to(device, non_blocking=True)
        moved["points_uv"] = sample["points_uv"].to(device, non_blocking=True)
        moved["points_valid"] = sample["points_valid"].to(device, non_blocking=True)
    if "point_sem_seg" in sample:
        moved["point_sem_seg"] = sample["point_sem_seg"].to(device, non_blocking=True).long()
    return moved
