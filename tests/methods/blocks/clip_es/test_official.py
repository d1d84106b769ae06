"""CLIP-ES compared with outputs of the official code on a tiny CLIP with random weights.

`official.npz` holds outputs of linyq2117/CLIP-ES at 3893f81, computed beside this project in float32, with positions
that are not rounded to half precision and an inverse temperature of 1/0.07. Classes 0 and 1 are tags, the other three
are background words. Keys: size, threshold of the boxes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip_es.class_maps import ClassMaps
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder, draw_classes, draw_image

OFFICIAL = Path(__file__).parent / "official.npz"
CASES = [(height, width, threshold) for height, width in [(64, 96), (112, 80)] for threshold in (0.4, 0.7)]


def read_official(name: str) -> Tensor:
    with np.load(OFFICIAL) as arrays:
        return torch.tensor(arrays[name].astype(np.float32))


def build_class_maps(*, threshold: float = 0.4, num_blocks: int = 8, layers: int = 4) -> ClassMaps:
    return ClassMaps(
        build_tiny_encoder(layers=layers),
        objective="probability",
        num_blocks=num_blocks,
        threshold=threshold,
        borders="code",
        interpolation="bilinear",
        temperature=1 / 0.07,
    )


def spread(class_maps: ClassMaps, *, height: int, width: int) -> Tensor:
    """Return the spread maps (2, h, w) of the first two of five classes, before they are scaled to 0-1."""
    image = class_maps.encode(draw_image(height, width))
    activation = class_maps.activate(image, draw_classes(), classes=torch.tensor([0, 1]))
    return class_maps.spread(image, activation).unflatten(1, image.grid)


def assert_near(actual: Tensor, expected: Tensor, *, atol: float = 1e-5) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (112, 80)])
def test_activation_maps_are_those_of_the_official_code(height: int, width: int) -> None:
    class_maps = build_class_maps(num_blocks=0)
    image = class_maps.encode(draw_image(height, width))
    maps, _ = class_maps(image, draw_classes(), classes=torch.tensor([0, 1]))
    assert_near(maps, read_official(f"{height}x{width}/0.4/raw_cam"))


@pytest.mark.parametrize(("height", "width", "threshold"), CASES)
def test_spread_maps_are_those_of_the_official_code(height: int, width: int, threshold: float) -> None:
    actual = spread(build_class_maps(threshold=threshold), height=height, width=width)
    assert_near(actual, read_official(f"{height}x{width}/{threshold}/refined_cam"))


def test_only_the_last_eight_of_twelve_blocks_spread() -> None:
    actual = spread(build_class_maps(layers=12), height=64, width=96)
    assert_near(actual, read_official("64x96/0.4, 12 blocks/refined_cam"))


def test_maps_in_pixels_are_the_file_of_the_official_code_to_half_precision() -> None:
    class_maps = build_class_maps()
    maps, _ = class_maps(class_maps.encode(draw_image(64, 96)), draw_classes(), classes=torch.tensor([0, 1]))
    pixels = F.interpolate(maps[None], size=(64, 96), mode="bilinear")[0]
    assert_near(pixels, read_official("64x96/0.4/saved_pixels"), atol=1e-3)  # scaling multiplies errors by up to 300
