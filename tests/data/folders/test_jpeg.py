"""Tests of decoded JPEGs against Pillow: the same pixels or none."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.folders import jpeg
from benchmark.data.folders.decode import decode_image
from benchmark.data.folders.jpeg import decode_jpeg

simplejpeg = pytest.importorskip("simplejpeg", reason="simplejpeg is not installed")

MINI = Path(__file__).resolve().parents[4] / "shared" / "data" / "voc12_mini" / "JPEGImages"


def encode(mode: str = "RGB", *, size: tuple[int, int] = (37, 53), **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((2 * size[1] - 1, 2 * size[0] - 1)).convert(mode)
    image.save(buffer := io.BytesIO(), "JPEG", **options)
    return buffer.getvalue()


def decode(content: bytes) -> np.ndarray | None:
    with Image.open(io.BytesIO(content)) as image:
        return decode_jpeg(content, image)


def decode_by_pillow(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image.convert("RGB"))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_pixels_are_those_of_pillow(subsampling: str, quality: int, progressive: bool) -> None:
    content = encode(subsampling=subsampling, quality=quality, progressive=progressive)
    pixels = decode(content)
    assert pixels is not None and np.array_equal(pixels, decode_by_pillow(content))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_numbers_of_channels_are_left_to_pillow(mode: str) -> None:
    assert decode(encode(mode)) is None
    assert np.array_equal(decode_image(encode(mode), Path("a.jpg")), decode_by_pillow(encode(mode)))


def test_a_kind_with_other_pixels_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    content, read = encode(), simplejpeg.decode_jpeg
    monkeypatch.setattr(jpeg, "_kinds", {})
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *given, **options: read(*given, **options) ^ 1)
    assert decode(content) is None and decode(content) is None
    assert np.array_equal(decode_image(content, Path("a.jpg")), decode_by_pillow(content))


def test_a_damaged_file_is_left_to_pillow() -> None:
    content = encode(size=(90, 90))
    assert decode(content[: len(content) // 2] + b"\xff\xd9") is None


def test_without_simplejpeg_pillow_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "simplejpeg", None)
    assert decode(encode()) is None
    assert np.array_equal(decode_image(encode(), Path("a.jpg")), decode_by_pillow(encode()))


@pytest.mark.skipif(not MINI.is_dir(), reason="the real images of VOC are not next to this checkout")
def test_pixels_of_real_images_are_those_of_pillow() -> None:
    contents = [path.read_bytes() for path in sorted(MINI.glob("*.jpg"))[::10]]
    pixels = [decode(content) for content in contents]
    pairs = zip(pixels, map(decode_by_pillow, contents), strict=True)
    assert all(own is not None and np.array_equal(own, other) for own, other in pairs)
