"""SemanticKITTI and nuScenes as datasets, on trees of hand-made files."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmark.core.method import Supervision
from benchmark.core.split import Split, load_split
from benchmark.data.base import PointSource
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.data.points import nuscenes, nuscenes_dataset, semantic_kitti, semantic_kitti_dataset
from benchmark.data.points.lidar_dataset import LidarDataset
from benchmark.data.points.nuscenes_dataset import open_nuscenes
from benchmark.data.points.semantic_kitti_dataset import open_semantic_kitti
from tests.data.points.lidar_files import write_kitti, write_nuscenes
from tests.data.tiny_dataset import PLAIN

SCENES = {"train": ("scene-b",), "val": ("scene-c", "scene-a")}
TRAIN_SEQUENCES = ("00", "01", "02", "03", "04", "05", "06", "07", "09", "10")


def _open(kind: str, folder: Path) -> LidarDataset:
    if kind == "semantic_kitti":
        return open_semantic_kitti(write_kitti(folder, *TRAIN_SEQUENCES, "08"))
    return open_nuscenes(write_nuscenes(folder, "scene-a", "scene-b", "scene-c"), scenes=SCENES)


@pytest.mark.parametrize(("kind", "road"), [("semantic_kitti", "road"), ("nuscenes", "driveable_surface")])
def test_visible_points_label_their_pixels_and_all_others_are_ignored(tmp_path: Path, kind: str, road: str) -> None:
    dataset = _open(kind, tmp_path)
    labels = dataset.read("val", 0).labels
    assert labels.shape == (32, 64)
    assert (dataset.classes[labels[16, 32]], dataset.classes[labels[12, 24]]) == ("car", road)
    assert (labels != 255).sum() == 2
    assert dataset.read_classes("val", 0) == {dataset.classes.index("car"), dataset.classes.index(road)}


@pytest.mark.parametrize("kind", ["semantic_kitti", "nuscenes"])
def test_points_behind_and_beside_the_camera_are_left_out_and_hidden_ones_are_kept(tmp_path: Path, kind: str) -> None:
    dataset = _open(kind, tmp_path)
    assert isinstance(dataset, PointSource)
    points = dataset.read_points("val", 0)
    assert np.allclose(points.points[:, :4], [[0, 0, 10, 0.5], [-2, -1, 10, 0.5], [0, 0, 20, 0.5]])
    assert points.is_visible.tolist() == [True, True, False]
    assert np.allclose(points.uv, [[32, 16], [24, 12], [32, 16]])


@pytest.mark.parametrize("kind", ["semantic_kitti", "nuscenes"])
def test_loaders_withhold_the_labels_of_unseen_points(tmp_path: Path, kind: str) -> None:
    dataset = _open(kind, tmp_path)
    fields = {"classes": dataset.classes, "unseen": ("car",), "train": "train", "evaluate": "val"}
    split = Split(name="x", dataset=dataset.name, **fields)  # type: ignore[arg-type]
    train = TrainLoader(dataset, split, protocol=PLAIN, batch_size=1, seed=0, supervision=Supervision.POINTS)
    ((sample,),) = train.batches(0, 1)
    assert (int(sample["point_sem_seg"][0]), int((sample["sem_seg"] != 255).sum())) == (255, 1)
    evaluation = EvalLoader(dataset, split, protocol=PLAIN, supervision=Supervision.POINTS)
    assert dataset.classes[evaluation.read_point_target(0)[0]] == "car"


def test_images_are_in_the_order_of_scenes_and_sequences(tmp_path: Path) -> None:
    kitti, nuscenes = _open("semantic_kitti", tmp_path / "k"), _open("nuscenes", tmp_path / "n")
    assert [kitti.get_image_ref("val", index).image_id for index in range(2)] == ["08_000000", "08_000001"]
    assert (kitti.size("train"), kitti.get_image_ref("train", 19).image_id) == (20, "10_000001")
    assert [nuscenes.get_image_ref("val", index).image_id for index in range(2)] == ["sample2", "sample0"]


def test_a_fingerprint_does_not_depend_on_the_folder_and_notices_a_missing_scan(tmp_path: Path) -> None:
    first, second = (_open("semantic_kitti", tmp_path / name).fingerprint() for name in "ab")
    assert first == second
    (tmp_path / "a" / "sequences" / "08" / "labels" / "000001.label").unlink()
    assert open_semantic_kitti(tmp_path / "a").fingerprint() != first


@pytest.mark.parametrize("edited", ["labels/000000.label", "calib.txt"])
def test_a_fingerprint_notices_labels_and_calibrations_that_were_edited(tmp_path: Path, edited: str) -> None:
    (tmp_path / "a").mkdir()
    before = _open("semantic_kitti", tmp_path / "a").fingerprint()
    changed = _open("semantic_kitti", tmp_path / "b")
    file = tmp_path / "b" / "sequences" / "08" / edited
    file.write_bytes(file.read_bytes().replace(b"1", b"2") if edited == "calib.txt" else bytes(file.stat().st_size))
    assert changed.fingerprint() != before


@pytest.mark.parametrize("kind", ["semantic_kitti", "nuscenes"])
def test_a_scan_is_read_once_for_a_sample_and_its_points(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, read = _open(kind, tmp_path), list[Path]()
    module = semantic_kitti_dataset if kind == "semantic_kitti" else nuscenes_dataset
    original = module.read_scan

    def note(path: Path) -> Any:
        read.append(path)
        return original(path)

    monkeypatch.setattr(module, "read_scan", note)
    dataset.read("val", 0)
    dataset.read_points("val", 0)
    dataset.read_points("val", 1)
    assert len(read) == 2


def test_a_camera_that_the_tables_lack_is_named(tmp_path: Path) -> None:
    dataset = open_nuscenes(write_nuscenes(tmp_path, "scene-a"), scenes={"val": ("scene-a",)}, camera="CAM_BACK")
    with pytest.raises(ValueError, match=r"the tables in .* lack .*CAM_BACK"):
        dataset.size("val")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"sequences/08/labels has no \.label files"):
        open_semantic_kitti(tmp_path).size("val")
    with pytest.raises(ValueError, match=r"lidarseg\.json cannot be read"):
        open_nuscenes(tmp_path).size("val")
    with pytest.raises(ValueError, match=r"has no scene 'scene-0103'"):
        open_nuscenes(write_nuscenes(tmp_path, "scene-a")).size("val")
    with pytest.raises(KeyError, match="subset"):
        open_semantic_kitti(tmp_path).size("vla")


def test_the_catalog_finds_lidar_datasets_below_the_data_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kitti(tmp_path / "SemanticKITTI" / "dataset", "08")
    write_nuscenes(tmp_path / "nuscenes", "scene-0103", "scene-0916")
    monkeypatch.setenv("CHIMERA_BENCH_DATA", str(tmp_path))
    assert [open_dataset(name).size("val") for name in ("semantic_kitti", "nuscenes_mini")] == [2, 2]
    monkeypatch.setenv("CHIMERA_BENCH_DATA", str(tmp_path / "nuscenes"))
    with pytest.raises(FileNotFoundError, match=r"'semantic_kitti' was not found in .*for a folder 'sequences'"):
        open_dataset("semantic_kitti")


@pytest.mark.parametrize(("name", "module"), [("semantic_kitti", semantic_kitti), ("nuscenes_mini", nuscenes)])
def test_the_included_splits_have_the_classes_of_the_formats(name: str, module: ModuleType) -> None:
    split = load_split(name)
    assert (split.dataset, split.classes, set(split.unseen)) == (name, module.CLASSES, set(module.UNSEEN))
