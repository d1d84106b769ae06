"""Pixels of images and values of masks, exact or refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from benchmark.data.folders.decode import read_image, read_image_size, read_mask
from tests.data.trees import save_image, save_mask, write

SMOOTH = np.kron(np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8), np.ones((7, 7, 1), np.uint8))
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def make_jpeg(mode: str = "RGB", **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(SMOOTH).convert(mode).save(content, "JPEG", **options)
    return content.getvalue()


def make_plain_cmyk() -> bytes:
    """Return a CMYK JPEG without Adobe's marker for inverted inks."""
    content = make_jpeg("CMYK")
    at = content.index(b"\xff\xee")
    return content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :]


def make_png(values: NDArray[np.uint8], bits: int) -> bytes:
    """Return a gray PNG of 1, 2, 4 or 8 bits, built by hand because Pillow cannot write 2 and 4 bits."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    packed = [np.packbits(np.unpackbits(row[:, None], axis=1)[:, 8 - bits :].ravel()).tobytes() for row in values]
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in packed))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content",
    [
        make_jpeg(),
        make_jpeg(quality=40, subsampling="4:2:0"),
        make_jpeg(progressive=True),
        make_jpeg(icc_profile=PROFILE),
        make_jpeg("L"),
        make_jpeg("L", progressive=True),
        make_jpeg(keep_rgb=True),
        make_jpeg("CMYK"),
        make_plain_cmyk(),
        make_jpeg() + b"\0" * 100,
        make_jpeg() + b"trailing camera data",
    ],
    ids=[
        "rgb",
        "420",
        "progressive",
        "icc",
        "gray",
        "gray-progressive",
        "keep-rgb",
        "cmyk",
        "cmyk-plain",
        "zeros",
        "tail",
    ],
)
def test_a_jpeg_has_the_pixels_of_pillow(content: bytes, tmp_path: Path) -> None:
    image = read_image(write(tmp_path / "a.jpg", content))
    with Image.open(io.BytesIO(content)) as expected:
        assert np.array_equal(image, np.array(expected.convert("RGB")))
    assert image.shape == SMOOTH.shape and image.dtype == np.uint8 and image.flags.writeable


def test_cmyk_keeps_its_colors(tmp_path: Path) -> None:
    red = io.BytesIO()
    Image.new("RGB", (16, 16), (255, 0, 0)).convert("CMYK").save(red, "JPEG")
    assert np.abs(read_image(write(tmp_path / "a.jpg", red.getvalue()))[5, 5].astype(int) - [255, 0, 0]).max() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["JPEG", "PNG"])
def test_an_image_is_rotated_according_to_its_orientation(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(SMOOTH).save(tmp_path / "a", suffix, exif=exif)
    with Image.open(tmp_path / "a") as image:
        expected = np.array(ImageOps.exif_transpose(image))
    assert np.array_equal(read_image(tmp_path / "a"), expected)
    assert read_image_size(tmp_path / "a") == expected.shape[:2]


def test_the_size_is_read_from_the_header(tmp_path: Path) -> None:
    assert read_image_size(write(tmp_path / "a.jpg", make_jpeg()[:700])) == SMOOTH.shape[:2]


@pytest.mark.parametrize("mode", ["P", "L", "RGBA"])
def test_png_images_become_rgb(mode: str, tmp_path: Path) -> None:
    with Image.fromarray(SMOOTH).convert(mode) as image:
        image.save(tmp_path / "a.png")
        assert np.array_equal(read_image(tmp_path / "a.png"), np.array(image.convert("RGB")))


@pytest.mark.parametrize("cut", [1, 2, 3, 10, 100, 700, 1100])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "L"}])
def test_a_truncated_jpeg_is_refused_and_never_filled_with_gray(
    cut: int, options: dict[str, str], tmp_path: Path
) -> None:
    path = write(tmp_path / "cut.jpg", make_jpeg(**options)[:-cut])
    with pytest.raises(ValueError, match=r"cut\.jpg is truncated: \d+ bytes without a JPEG end marker"):
        read_image(path)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image(tmp_path: Path) -> None:
    content = make_jpeg()
    thumbnail = b"\xff\xe1" + (2 + len(content)).to_bytes(2, "big") + content  # a segment that contains a whole JPEG
    whole = content[:2] + thumbnail + content[2:]
    assert np.array_equal(read_image(write(tmp_path / "a.jpg", whole)), read_image(write(tmp_path / "b", content)))
    with pytest.raises(ValueError, match="is truncated"):
        read_image(write(tmp_path / "cut.jpg", whole[:-50]))


@pytest.mark.parametrize("reader", [read_image, read_mask, read_image_size])
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "a.png is missing"),
        (b"", "a.png "),
        (b"\x89PNG\r\n\x1a\n\0\0", r"is a truncated or damaged PNG \(10 bytes\); copy or download it again"),
        (b"<html>404", "is not a readable image: its first bytes are b'<html>404'"),
    ],
    ids=["missing", "empty", "truncated", "text"],
)
def test_a_file_that_is_not_an_image_is_named(
    reader: Callable[[Path], object], content: bytes | None, fault: str, tmp_path: Path
) -> None:
    if content is not None:
        write(tmp_path / "a.png", content)
    with pytest.raises(ValueError, match=fault):
        reader(tmp_path / "a.png")


def test_an_empty_file_is_reported_as_empty(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.jpg is empty \(0 bytes\)"):
        read_image(write(tmp_path / "a.jpg", b""))


def test_a_folder_instead_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read_mask(tmp_path)


def test_a_16_bit_image_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((3, 3), np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="mode I;16, expected 8 bits per channel"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("palette", [True, False])
def test_palette_and_gray_masks_have_the_same_values(palette: bool, tmp_path: Path) -> None:
    values = np.array([[0, 1, 254], [255, 20, 7]], dtype=np.uint8)
    mask = read_mask(save_mask(tmp_path / "a.png", values, palette=palette))
    assert mask.dtype == np.uint8 and np.array_equal(mask, values)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_gray_masks_of_few_bits_are_not_scaled(bits: int, tmp_path: Path) -> None:
    values = (np.arange(35, dtype=np.uint8) & (2**bits - 1)).reshape(5, 7)
    assert np.array_equal(read_mask(write(tmp_path / "a.png", make_png(values, bits))), values)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_masks_of_few_bits_keep_their_indices(bits: int, tmp_path: Path) -> None:
    values = (np.arange(35, dtype=np.uint8) & (2**bits - 1)).reshape(5, 7)
    image = Image.fromarray(values)
    image.putpalette(bytes(range(3 * 2**bits)))
    image.save(tmp_path / "a.png", bits=bits)
    assert np.array_equal(read_mask(tmp_path / "a.png"), values)


@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("tif", {}), ("tif", {"compression": "tiff_lzw"})])
def test_wide_masks_keep_all_16_bits(suffix: str, options: dict[str, str], tmp_path: Path) -> None:
    values = np.array([[0, 255, 256], [846, 65534, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}", **options)
    mask = read_mask(tmp_path / f"a.{suffix}")
    assert mask.dtype == np.uint16 and np.array_equal(mask, values)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_color_mask_is_refused_with_its_mode_and_the_expected_one(mode: str, tmp_path: Path) -> None:
    Image.new(mode, (3, 3)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=rf"a\.png is a color image \({mode}\), expected a mask with one channel"):
        read_mask(tmp_path / "a.png")


def test_a_mask_saved_as_jpeg_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a JPEG, which does not keep class ids"):
        read_mask(save_image(tmp_path / "a.png", mode="L"))


@pytest.mark.parametrize("damage", [lambda data: data[:-3000], lambda data: data[:900] + b"broken" + data[906:]])
def test_a_broken_png_is_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    content = make_png(np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8), 8)
    path = write(tmp_path / "a.png", damage(content))
    for reader in (read_image, read_mask):
        with pytest.raises(ValueError, match=r"a\.png is broken: .*copy or download it again"):
            reader(path)
