"""Tests of compiled loops over pixels against NumPy and Pillow: the same values, whatever computes them."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from benchmark.core.seeding import torch_generator
from benchmark.data import compiled_pixels
from benchmark.data.compiled_pixels import SMALL, load_kernels, look_up, map_colors, take_grid
from benchmark.data.resize import resize_image
from benchmark.data.transforms import RandomColor

SIDE = int(SMALL**0.5) + 2
"""Side of images that compiled loops process."""
needs_numba = pytest.mark.skipif(load_kernels() is None, reason="Numba is not installed")


def draw_pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def map_by_pillow(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(pixels.copy()).convert("RGB", tuple(matrix.ravel().tolist())))


@pytest.fixture(params=["compiled", "NumPy and Pillow"])
def computed_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_pixels, "_exact", {})
    if request.param != "compiled":
        monkeypatch.setattr(compiled_pixels, "load_kernels", lambda: None)


@pytest.mark.usefixtures("computed_by")
@pytest.mark.parametrize("seed", range(8))
def test_color_maps_have_the_pixels_of_pillow(seed: int) -> None:
    matrix = RandomColor().draw_matrix(torch_generator(seed))
    pixels = draw_pixels(SIDE + 5, 2 * SIDE, 3, seed=seed)[3:, SIDE - 1 :: -1]  # a crop, mirrored
    for _ in range(2):  # the first image is computed by both
        assert np.array_equal(map_colors(pixels, matrix), map_by_pillow(pixels, matrix))


@pytest.mark.usefixtures("computed_by")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("side", [3, SIDE])
def test_indices_beyond_a_table_take_its_last_entry(side: int, dtype: type[np.unsignedinteger]) -> None:
    indices = draw_pixels(side, side + 1).astype(dtype)
    values = look_up(np.array([7, -3, 5], dtype=np.int16), indices)
    assert values.dtype == np.int16 and np.array_equal(values, np.array([7, -3, 5])[np.minimum(indices, 2)])


@pytest.mark.usefixtures("computed_by")
def test_a_grid_may_repeat_and_skip_rows_and_columns() -> None:
    values = draw_pixels(40, 30)[:, ::-1].astype(np.int16)
    rows, columns = np.repeat(np.arange(0, 40, 2), 15), np.arange(29, -1, -1).repeat(10)
    assert np.array_equal(take_grid(values, rows, columns), values[np.ix_(rows, columns)])


@pytest.mark.usefixtures("computed_by")
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [(SIDE, 2 * SIDE), (500, SIDE), (SIDE, 300)])
def test_resized_images_have_the_pixels_of_torch(size: tuple[int, int], antialias: bool) -> None:
    image = torch.from_numpy(draw_pixels(300, 420, 3)[10:, ::-1].copy()[:, 7:]).permute(2, 0, 1)
    expected = F.interpolate(image[None].contiguous(), size=size, mode="bilinear", antialias=antialias)[0]
    for _ in range(2):
        resized = resize_image(image, size, antialias=antialias)
        assert resized.is_contiguous() and torch.equal(resized, expected)


@needs_numba
@pytest.mark.skipif("AVX2" not in torch.backends.cpu.get_cpu_capability(), reason="libraries round in another way")
def test_loops_are_used_because_they_have_the_pixels_of_pillow_and_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_pixels, "_exact", {})
    pixels = draw_pixels(SIDE, SIDE, 3)
    map_colors(pixels, RandomColor().draw_matrix(torch_generator(1)))
    for antialias in (False, True):
        resize_image(torch.from_numpy(pixels).permute(2, 0, 1), (300, 310), antialias=antialias)
    assert list(compiled_pixels._exact.values()) == [True] * 3


@needs_numba
def test_pillow_maps_all_images_if_the_first_has_other_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = SimpleNamespace(map_colors=lambda pixels, matrix: np.zeros_like(pixels))
    monkeypatch.setattr(compiled_pixels, "_exact", {})
    monkeypatch.setattr(compiled_pixels, "load_kernels", lambda: wrong)
    pixels, matrix = draw_pixels(SIDE, SIDE, 3), np.eye(3, 4)
    assert all(np.array_equal(map_colors(pixels, matrix), pixels) for _ in range(2))


def test_small_images_do_not_import_numba() -> None:
    code = (
        "import numpy as np, sys; from benchmark.data.compiled_pixels import *\n"
        "map_colors(np.zeros((9, 9, 3), np.uint8), np.eye(3, 4)); look_up(np.arange(9), np.zeros((9, 9), np.uint8))\n"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
