"""Shifted passes, compared with an average pooling of a smaller stride."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from methods.blocks.pacl import run_shifted
from methods.blocks.pacl.shifted_passes import compute_offsets

IMAGES = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shifts", [1, 2, 4, 8])
def test_shifted_passes_equal_a_patch_pooling_with_a_smaller_stride(shifts: int) -> None:
    stride = 16 // shifts
    margin = (16 - stride) // 2
    expected = F.avg_pool2d(F.pad(IMAGES, (margin,) * 4, mode="replicate"), kernel_size=16, stride=stride)
    maps = run_shifted(lambda images: F.avg_pool2d(images, 16), IMAGES, patch=16, shifts=shifts)
    torch.testing.assert_close(maps, expected, atol=1e-6, rtol=0)


def test_one_shift_is_the_plain_pass_bit_for_bit() -> None:
    assert run_shifted(lambda images: images[:, :, ::16, ::16], IMAGES, patch=16, shifts=1).equal(
        IMAGES[:, :, ::16, ::16]
    )


def test_the_paper_s_stride_of_4_takes_16_passes() -> None:
    calls: list[torch.Tensor] = []

    def encode(images: torch.Tensor) -> torch.Tensor:
        calls.append(images)
        return images[:, :, ::16, ::16]

    run_shifted(encode, IMAGES, patch=16, shifts=4)
    assert len(calls) == 16 and {images.shape for images in calls} == {IMAGES.shape}


@pytest.mark.parametrize(("patch", "shifts"), [(16, 4), (16, 2), (14, 7), (8, 4), (14, 2), (16, 1)])
def test_shifts_lie_around_zero(patch: int, shifts: int) -> None:
    offsets = compute_offsets(patch, shifts=shifts)
    assert len(offsets) == shifts and abs(offsets[0] + offsets[-1]) <= 1 and max(offsets) <= -offsets[0]
