"""ADE20K's full release: class codes, and images and masks resized to a short side of 512."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.check import check_dataset
from benchmark.data.folders.dataset_spec import load_dataset_spec
from benchmark.data.prepare.ade20k_full import limit_size
from benchmark.data.prepare.opencv import resize_linear, resize_nearest
from benchmark.data.prepare.run import prepare
from tests.data.prepare.originals import digest_files, draw_noise, read_pixels, write_ade, write_image

WALL, BUILDING, ADDING_MACHINE, OTHER = 2978, 312, 3148, 1
"""Object indices of the classes 0, 1 and 846, and of one outside the 847 classes."""

IDS = (WALL, BUILDING, ADDING_MACHINE, OTHER, 0)
LABELS = {WALL: 0, BUILDING: 1, ADDING_MACHINE: 846, OTHER: 65535, 0: 65535}
SMALL = {"ADE_train_00000001": (6, 9), "ADE_train_00000002": (9, 6), "ADE_val_00000001": (7, 7)}
RELEASE = "ADE20K_2021_17_01/images/ADE"


def read_codes(mask: Path) -> NDArray[np.int64]:
    colors = read_pixels(mask).astype(np.int64)
    return colors[..., 0] // 10 * 256 + colors[..., 1]


def test_color_codes_become_16_bit_class_indices(tmp_path: Path) -> None:
    root = write_ade(tmp_path / "raw", SMALL, IDS)
    outcome = prepare("ade20k_847", root=root, out=tmp_path / "out")
    assert (outcome.made, outcome.broken) == (6, ())
    for mask in root.rglob("*_seg.png"):
        subset = "training" if "_train_" in mask.name else "validation"
        made = read_pixels(tmp_path / "out" / "annotations_detectron2" / subset / mask.name.replace("_seg.png", ".tif"))
        assert made.dtype == np.uint16
        assert made.tolist() == [[LABELS[code] for code in row] for row in read_codes(mask).tolist()]


def test_every_class_has_its_object_index(tmp_path: Path) -> None:
    spec = load_dataset_spec("ade20k_847")
    raw = np.array([spec.raw_ade_index])
    folder = tmp_path / "raw" / RELEASE / "validation"
    write_image(folder / "ADE_val_1.jpg", draw_noise(1, 847, 3))
    colors = np.stack([raw // 256 * 10, raw % 256, 0 * raw], axis=-1)
    write_image(folder / "ADE_val_1_seg.png", colors.astype(np.uint8))
    prepare("ade20k_847", root=tmp_path / "raw", out=tmp_path / "out")
    made = read_pixels(tmp_path / "out" / "annotations_detectron2" / "validation" / "ADE_val_1.tif")
    assert made.tolist() == [[*range(847)]]


def test_large_images_and_masks_are_resized_to_the_same_size(tmp_path: Path) -> None:
    root = write_ade(tmp_path / "raw", {"ADE_train_00000001": (515, 643), "ADE_val_00000001": (600, 520)}, IDS)
    prepare("ade20k_847", root=root, out=tmp_path / "out")
    sizes = {path.stem: read_pixels(path).shape[:2] for path in (tmp_path / "out").rglob("*.tif")}
    assert sizes == {"ADE_train_00000001": (512, 639), "ADE_val_00000001": (591, 512)}
    assert {path.stem: read_pixels(path).shape[:2] for path in (tmp_path / "out").rglob("*.jpg")} == sizes
    original = root / RELEASE / "training" / "urban" / "street" / "ADE_train_00000001_seg.png"
    columns = [column * 643 // 639 for column in range(639)]
    rows = [row * 515 // 512 for row in range(512)]
    expected = [[LABELS[code] for code in line] for line in read_codes(original)[rows][:, columns].tolist()]
    assert read_pixels(tmp_path / "out/annotations_detectron2/training/ADE_train_00000001.tif").tolist() == expected


def test_images_are_saved_with_the_default_quality_of_pillow(tmp_path: Path) -> None:
    root = write_ade(tmp_path / "raw", {"ADE_train_00000001": (6, 9), "ADE_val_00000001": (514, 520)}, IDS)
    prepare("ade20k_847", root=root, out=tmp_path / "out")
    for original in root.rglob("ADE_*.jpg"):
        image = read_pixels(original).astype(np.uint8)
        small = image if "train" in original.name else resize_linear(image, 512, 518)
        content = io.BytesIO()
        Image.fromarray(small).save(content, format="JPEG")
        (made,) = (tmp_path / "out").rglob(original.name)
        assert made.read_bytes() == content.getvalue()


def test_the_converted_dataset_passes_the_check(tmp_path: Path) -> None:
    prepare("ade20k_847", root=write_ade(tmp_path / "raw", SMALL, IDS), out=tmp_path / "out")
    spec = load_dataset_spec("ade20k_847").model_copy(update={"image_counts": {"train": 2, "val": 1}})
    report = check_dataset(spec, [tmp_path / "out"], full=True)
    assert report is not None and report.problems == ()


def test_all_broken_images_and_masks_are_named_once_and_the_rest_is_converted(tmp_path: Path) -> None:
    root = write_ade(tmp_path / "raw", SMALL, IDS)
    folder = root / RELEASE / "training" / "urban" / "street"
    image, mask = folder / "ADE_train_00000001.jpg", folder / "ADE_train_00000001_seg.png"
    image.write_bytes(image.read_bytes()[:100])
    mask.write_bytes(mask.read_bytes()[:60])
    (folder / "ADE_train_00000002_seg.png").unlink()
    outcome = prepare("ade20k_847", root=root, out=tmp_path / "out")
    assert [line.split(" is ")[0] for line in outcome.broken] == [
        str(image), str(mask), str(folder / "ADE_train_00000002_seg.png")
    ]  # fmt: skip
    assert outcome.made == 3


def test_a_mask_of_another_size_than_its_image_is_named(tmp_path: Path) -> None:
    root = write_ade(tmp_path / "raw", SMALL, IDS)
    mask = root / RELEASE / "validation" / "urban" / "street" / "ADE_val_00000001_seg.png"
    write_image(mask, draw_noise(7, 8, 3))
    (line,) = prepare("ade20k_847", root=root, out=tmp_path / "out").broken
    assert line.startswith(f"{mask} has size (7, 8) but its image")
    assert line.endswith("has (7, 7); expected equal sizes")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 2000), (512, 2000)),
        ((513, 513), (512, 512)),
        ((1024, 1536), (512, 768)),
        ((1536, 1024), (768, 512)),
        ((683, 1025), (512, 768)),
        ((300, 3000), (300, 3000)),
        ((1000, 1001), (512, 513)),
    ],
)
def test_the_size_depends_on_the_short_side(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert limit_size(*size) == expected


def test_bilinear_resizing_matches_opencv() -> None:
    gray = np.arange(35).reshape(5, 7) * 7
    image = np.stack([gray, 255 - gray, gray**2 % 251], axis=-1).astype(np.uint8)
    assert resize_linear(image, 3, 4).tolist() == [  # cv2.resize(image, (4, 3), interpolation=cv2.INTER_LINEAR)
        [[19, 236, 57], [31, 224, 195], [43, 211, 85], [55, 199, 113]],
        [[101, 154, 128], [113, 142, 228], [125, 130, 68], [137, 118, 58]],
        [[182, 73, 37], [194, 60, 139], [207, 48, 151], [219, 36, 154]],
    ]


def test_bilinear_resizing_rounds_as_opencv_does() -> None:
    rows, columns, channels = np.ogrid[:97, :131, :3]
    image = ((rows * rows * 7 + columns * 13 + rows * columns * 3 + channels * 101) % 256).astype(np.uint8)
    resized = resize_linear(image, 61, 83)  # cv2.resize(image, (83, 61), interpolation=cv2.INTER_LINEAR)
    assert hashlib.sha256(resized.tobytes()).hexdigest()[:16] == "2225d85ffa30c7cc"


def test_nearest_resizing_matches_opencv() -> None:
    assert resize_nearest(np.arange(70).reshape(7, 10), 4, 6).tolist() == [
        [0, 1, 3, 5, 6, 8], [10, 11, 13, 15, 16, 18], [30, 31, 33, 35, 36, 38], [50, 51, 53, 55, 56, 58]
    ]  # fmt: skip


def test_missing_originals_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found no images/ADE/training and no images/ADE/validation"):
        prepare("ade20k_847", root=tmp_path, out=tmp_path / "out")
    assert digest_files(tmp_path) == {}
