"""SemanticKITTI's formats, on files made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.data.points.semantic_kitti import (
    CLASS_OF_ID,
    CLASSES,
    IGNORED_IDS,
    UNSEEN,
    project_scan,
    read_calibration,
    read_labels,
    read_scan,
)

CALIBRATION = """P0: 700 0 600 0 0 700 180 0 0 0 1 0
P2: 700 0 600 70 0 700 180 0 0 0 1 0
Tr: 0 -1 0 0 0 0 -1 -0.1 1 0 0 -0.2
"""
"""A camera that looks along the x axis of the scanner, 0.1 m above and 0.2 m before it; image_2 is to its left."""


def _write_labels(path: Path, *ids: int) -> Path:
    path.write_bytes(np.array(ids, dtype="<u4").tobytes())
    return path


def test_a_scan_has_four_numbers_a_point(tmp_path: Path) -> None:
    scan = np.array([[1, 2, 3, 0.5], [4, 5, 6, 0.25]], dtype="<f4")
    (tmp_path / "0.bin").write_bytes(scan.tobytes())
    assert read_scan(tmp_path / "0.bin").tolist() == scan.tolist()


def test_instances_are_cut_off_and_moving_things_have_the_class_of_resting_ones(tmp_path: Path) -> None:
    path = _write_labels(tmp_path / "0.label", 10, 252 | 7 << 16, 81, 60, 0, 99)
    labels = read_labels(path, count=6)
    names = [CLASSES[label] if label < 255 else "" for label in labels]
    assert names == ["car", "car", "traffic-sign", "road", "", ""]


def test_every_class_has_an_id_and_the_unseen_ones_are_classes() -> None:
    assert set(CLASS_OF_ID.values()) == set(CLASSES)
    assert not set(CLASS_OF_ID) & set(IGNORED_IDS)
    assert set(UNSEEN) < set(CLASSES)


def test_labels_of_another_scan_and_unknown_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 2 labels for a scan of 3 points"):
        read_labels(_write_labels(tmp_path / "0.label", 10, 10), count=3)
    with pytest.raises(ValueError, match=r"has the ids \[7\]"):
        read_labels(_write_labels(tmp_path / "1.label", 7), count=1)


def test_broken_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "0.bin").write_bytes(b"12345")
    with pytest.raises(ValueError, match=r"0\.bin has 5 bytes, expected a multiple of 16"):
        read_scan(tmp_path / "0.bin")
    with pytest.raises(ValueError, match=r"1\.bin cannot be read"):
        read_scan(tmp_path / "1.bin")
    (tmp_path / "2.bin").write_bytes(np.full(4, np.nan, dtype="<f4").tobytes())
    with pytest.raises(ValueError, match=r"2\.bin has numbers that are not finite"):
        read_scan(tmp_path / "2.bin")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"P2: 1 2 3\n", "no line 'P2:' with 12 numbers"),
        (b"P2: " + b"a " * 12, "no line 'P2:' with 12 numbers"),
        (b"P2: " + b"nan " * 12, "no line 'P2:' with 12 numbers"),
        (b"P2: " + b"0 " * 12 + b"\nTr: " + b"1 " * 12, "a line 'P2:' of no camera"),
        (b"\xff\xfe\x00", "cannot be read as text"),
    ],
)
def test_a_broken_calibration_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "calib.txt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"calib\.txt .*{message}"):
        read_calibration(tmp_path / "calib.txt")


def test_points_project_to_the_pixels_worked_out_by_hand(tmp_path: Path) -> None:
    (tmp_path / "calib.txt").write_text(CALIBRATION)
    scan = np.array([[10.2, 0, 0, 0.5], [-10, 0, 0, 0.5], [20.2, 2, -1, 0.1], [30.2, -0.2, 0.2, 0.3]])
    points = project_scan(
        scan, np.arange(4, dtype=np.uint8), read_calibration(tmp_path / "calib.txt"), size=(370, 1240)
    )
    # camera 0 has the first point at (0, -0.1, 10), image_2 at (0.1, -0.1, 10): 600 + 700 / 100, 180 - 700 / 100
    assert np.allclose(points.points[0, :4], [0.1, -0.1, 10, 0.5])
    assert np.allclose(points.uv[[0, 2]], np.array([[607, 173], [533.5, 211.5]]))
    assert points.is_visible.tolist() == [True, False, True, False]  # behind the camera; behind the first point
    assert points.labels.tolist() == [0, 1, 2, 3]
