"""The embedded world as a data set."""

from __future__ import annotations

import pickle
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmark.core.split import load_split, split_names
from benchmark.data.catalog import dataset_names, open_dataset
from benchmark.data.toybox import dataset as module
from benchmark.data.toybox.dataset import (
    DIGESTS,
    SIZES,
    ToyBox,
    compute_digests,
    digest_scenes,
    draw_subset,
    subset_key,
)
from benchmark.data.toybox.scene import CLASSES, SIZE, Scene, scene
from benchmark.utils.array_cache import keep_arrays

SMALL = {"train": 3, "test": 2}

# `digest_scenes(draw_subset(subset, 4))`, written down when the digests of the whole subsets were
FIRST_FOUR = {
    "train": "d1540092b8269ff9fc106808502308218806f1471583d40a3dc1572c506c9fef",
    "val": "94c91dc62f173a4d0f1c5180e747e09a473b14459abfa4dbf7a67976d5bdc33b",
    "test": "6cfa7956b10fb58f0929da006f214cf832e9534126d57dc552ec742483e36587",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """KeyedRandom the whole subset at the first scene."""
    monkeypatch.setattr(module, "_MAX_SINGLE_SCENES", 0)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Notes every scene that is drawn."""
    notes: list[tuple[str, int]] = []

    def noted(subset: str, index: int) -> Scene:
        notes.append((subset, index))
        return scene(subset, index)

    monkeypatch.setattr(module, "scene", noted)
    return notes


@pytest.mark.parametrize("subset", SIZES)
def test_the_first_scenes_are_the_same_on_every_machine(subset: str) -> None:
    assert digest_scenes(draw_subset(subset, 4)) == FIRST_FOUR[subset]


@pytest.mark.slow
def test_the_written_digests_are_those_of_the_whole_subsets() -> None:
    assert compute_digests() == DIGESTS


def test_every_standard_part_has_a_digest_so_that_no_fingerprint_draws(drawn: list[tuple[str, int]]) -> None:
    assert set(DIGESTS) == {subset_key(subset, size) for subset, size in SIZES.items()}
    assert len(ToyBox().fingerprint()) == 64 and drawn == []


def test_parts_share_no_picture() -> None:
    pictures = {subset: {view.tobytes() for view in draw_subset(subset, 12)["images"]} for subset in SIZES}
    assert all(len(pictures[subset]) == 12 for subset in SIZES)
    assert all(pictures[one].isdisjoint(pictures[other]) for one, other in combinations(SIZES, 2))


@pytest.mark.usefixtures("hasty")
def test_reading_from_the_cache_gives_the_scene_itself(drawn: list[tuple[str, int]]) -> None:
    ToyBox(SMALL).read("train", 0)
    before = len(drawn)
    found = ToyBox(SMALL).read("train", 2)
    assert len(drawn) == before == 3
    assert np.array_equal(found.image, scene("train", 2).image)
    assert np.array_equal(found.labels, scene("train", 2).labels)


def test_a_few_reads_draw_a_few_scenes_and_each_once(drawn: list[tuple[str, int]]) -> None:
    world = ToyBox()
    for index in (7, 7, 1599):
        world.read("train", index)
    assert drawn == [("train", 7), ("train", 1599)]


def test_many_reads_draw_the_whole_part_and_keep_it(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(module, "_MAX_SINGLE_SCENES", 2)
    world = ToyBox({"train": 3})
    read = [world.read("train", index) for index in (2, 1, 0, 2)]
    assert all(np.array_equal(view.image, scene("train", int(view.image_id)).image) for view in read)
    assert [path.name for path in folder.iterdir()] == [f"{subset_key('train', 3)}.arrays"]


@pytest.mark.usefixtures("hasty")
def test_a_broken_cache_is_made_again(folder: Path) -> None:
    ToyBox(SMALL).read("train", 0)
    path = folder / f"{subset_key('train', 3)}.arrays"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert np.array_equal(ToyBox(SMALL).read("train", 1).image, scene("train", 1).image)
    assert path.read_bytes() == whole


@pytest.mark.usefixtures("hasty")
def test_a_cache_of_other_scenes_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_arrays(subset_key("train", 3), draw_subset("test", 3))
    monkeypatch.setattr(module, "DIGESTS", {subset_key("train", 3): digest_scenes(draw_subset("train", 3))})
    assert np.array_equal(ToyBox(SMALL).read("train", 0).image, scene("train", 0).image)


@pytest.mark.usefixtures("hasty")
def test_a_machine_that_draws_other_pixels_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DIGESTS", {subset_key("train", 3): "0" * 64})
    with pytest.raises(RuntimeError, match="not the ones that the fingerprint stands for"):
        ToyBox(SMALL).read("train", 0)


@pytest.mark.usefixtures("hasty")
def test_without_a_cache_the_part_stays_in_memory(
    monkeypatch: pytest.MonkeyPatch, folder: Path, drawn: list[tuple[str, int]]
) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(folder / "file"))
    world = ToyBox(SMALL)
    assert [world.read("train", index).image_id for index in (0, 1, 2)] == ["000000", "000001", "000002"]
    assert len(drawn) == 3


def test_a_copy_in_another_process_reads_the_same() -> None:
    world = ToyBox(SMALL)
    copy = pickle.loads(pickle.dumps(world))
    assert np.array_equal(copy.read("test", 1).image, world.read("test", 1).image)


def test_fingerprints_tell_worlds_apart() -> None:
    worlds = [ToyBox({"train": 2}), ToyBox({"train": 3}), ToyBox({"test": 2}), ToyBox({"train": 2})]
    first, longer, other, same = (world.fingerprint() for world in worlds)
    assert len({first, longer, other}) == 3 and first == same


def test_labels_are_classes_at_every_pixel() -> None:
    view = ToyBox(SMALL).read("train", 0)
    assert view.image.shape == (SIZE, SIZE, 3) and view.labels.dtype == np.uint8
    assert np.array_equal(view.labels, scene("train", 0).labels) and view.labels.max() < len(CLASSES)


def test_extras_belong_to_the_picture() -> None:
    world = ToyBox(SMALL)
    view = world.scene("train", 1)
    assert np.array_equal(view.image, world.read("train", 1).image) and view.depth_mm.min() >= 5_000
    assert all(name in world.caption("train", 1) for name in view.tags)
    assert world.caption("train", 1) == world.caption("train", 1)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_scene_outside_of_the_part_is_an_error(index: int) -> None:
    with pytest.raises(IndexError, match=f"scenes 0 to 2, asked for {index}"):
        ToyBox(SMALL).read("train", index)


def test_an_unknown_part_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="no subset 'trian'; did you mean 'train'"):
        ToyBox().size("trian")


def test_the_catalog_opens_by_name_and_answers_unknown_ones() -> None:
    assert open_dataset("toybox").name == "toybox" and "toybox" in dataset_names()
    with pytest.raises(KeyError, match="no data set 'toybx'; did you mean 'toybox'"):
        open_dataset("toybx")


def test_every_split_of_the_toybox_fits_it() -> None:
    splits = [split for split in map(load_split, split_names()) if split.dataset == "toybox"]
    assert splits and all(set(split.classes) <= set(CLASSES) for split in splits)
    assert all(ToyBox().size(subset) for split in splits for subset in (split.train, split.evaluate))


def test_a_scene_is_called_the_same_before_and_after_it_is_drawn() -> None:
    world = ToyBox()
    labelled = world.read("test", 3)
    assert world.image_ref("test", 3) == (labelled.image_id, labelled.file_name)
