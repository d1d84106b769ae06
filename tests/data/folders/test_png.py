"""Tests of decoded PNG masks against Pillow: the same values or none."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.folders import png
from benchmark.data.folders.decode import decode_mask
from benchmark.data.folders.png import decode_png

pytest.importorskip("zlib_ng", reason="zlib-ng is not installed")

MINI = Path(__file__).resolve().parents[4] / "shared" / "data" / "voc12_mini" / "SegmentationClass"
VALUES = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)
PATH = Path("mask.png")


def make_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode(*, color_type: int = 3, row_filter: int = 0, split: int = 1, extra: bytes = b"", height: int = 37) -> bytes:
    """Return a PNG of `VALUES` whose rows name a filter, in `split` parts."""
    header = struct.pack(">IIBBBBB", VALUES.shape[1], height, 8, color_type, 0, 0, 0)
    stream = zlib.compress(np.insert(VALUES, 0, row_filter, axis=1).tobytes())
    parts = [make_chunk(b"IDAT", part.tobytes()) for part in np.array_split(np.frombuffer(stream, np.uint8), split)]
    palette = make_chunk(b"PLTE", bytes(range(256)) * 3) if color_type == 3 else b""
    chunks = [make_chunk(b"IHDR", header), extra, palette, *parts, make_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def decode(content: bytes) -> np.ndarray | None:
    with Image.open(io.BytesIO(content)) as image:
        return decode_png(content, image)


def decode_by_pillow(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image)


@pytest.mark.parametrize("color_type", [0, 3])
@pytest.mark.parametrize("split", [1, 3])
def test_values_are_those_of_pillow(color_type: int, split: int) -> None:
    content = encode(color_type=color_type, split=split)
    values = decode(content)
    assert values is not None and np.array_equal(values, VALUES)
    assert np.array_equal(values, decode_by_pillow(content))


@pytest.mark.parametrize("mode", ["1", "I;16", "RGB", "LA"])
def test_other_modes_are_left_to_pillow(mode: str) -> None:
    Image.fromarray(VALUES).convert(mode).save(buffer := io.BytesIO(), "PNG")
    assert decode(buffer.getvalue()) is None


def test_filtered_rows_are_left_to_pillow() -> None:
    content = encode(row_filter=1)
    assert decode(content) is None
    assert np.array_equal(decode_mask(content, PATH), decode_by_pillow(content))


def test_unusual_chunks_are_left_to_pillow() -> None:
    assert decode(encode(extra=make_chunk(b"tEXt", b"a\0b"))) is None


@pytest.mark.parametrize("place", [-30, -5, -20], ids=["data", "end", "checksum"])
def test_damage_is_left_to_pillow(place: int) -> None:
    content = bytearray(encode())
    content[place] ^= 1
    assert decode(bytes(content)) is None


@pytest.mark.parametrize("height", [36, 38])
def test_a_stream_of_another_size_is_left_to_pillow(height: int) -> None:
    assert decode(encode(height=height)) is None


def test_without_zlib_ng_pillow_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "zlib_ng", None)
    assert decode(encode()) is None
    assert np.array_equal(decode_mask(encode(), PATH), VALUES)


@pytest.mark.skipif(not MINI.is_dir(), reason="the real masks of VOC are not next to this checkout")
def test_values_of_real_masks_are_those_of_pillow() -> None:
    contents = [path.read_bytes() for path in sorted(MINI.glob("*.png"))[::10]]
    values = [decode(content) for content in contents]
    pairs = zip(values, map(decode_by_pillow, contents), strict=True)
    assert all(own is not None and np.array_equal(own, other) for own, other in pairs)
