"""The toybox as a dataset."""

from __future__ import annotations

import pickle
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmark.core.split import list_splits, load_split
from benchmark.data.catalog import list_datasets, open_dataset
from benchmark.data.toybox import dataset as module
from benchmark.data.toybox.canvas import SIZE
from benchmark.data.toybox.dataset import (
    DIGESTS,
    SIZES,
    ToyBox,
    compute_digests,
    digest_scenes,
    draw_subset,
    make_subset_key,
)
from benchmark.data.toybox.scene import CLASSES, ToyScene, draw_scene
from benchmark.utils.array_cache import save_arrays

SMALL = {"train": 3, "test": 2}

# `digest_scenes(draw_subset(subset, 4))`, recorded together with the digests of the whole subsets
FIRST_FOUR = {
    "train": "9f01d49c2ca9faedc669bbc5011d42379ac0b0161edad65e79ce759cf42d3434",
    "val": "bfefc5e0e27b8531ef41acd2d3c0557a9cb4f2ca7b485b0095b971d167e34f09",
    "test": "1bc7d637322a3992a90b2186b64bb46c677e3b78c82ff7e671fc3af9b21babac",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def draws_whole_subset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the whole subset at the first scene."""
    monkeypatch.setattr(module, "_MAX_SINGLE_SCENES", 0)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return a list that collects all scenes that are drawn."""
    scenes: list[tuple[str, int]] = []

    def draw_and_collect(subset: str, index: int) -> ToyScene:
        scenes.append((subset, index))
        return draw_scene(subset, index)

    monkeypatch.setattr(module, "draw_scene", draw_and_collect)
    return scenes


@pytest.mark.parametrize("subset", SIZES)
def test_the_first_scenes_are_the_same_on_every_machine(subset: str) -> None:
    assert digest_scenes(draw_subset(subset, 4)) == FIRST_FOUR[subset]


@pytest.mark.slow
def test_the_recorded_digests_are_those_of_the_whole_subsets() -> None:
    assert compute_digests() == DIGESTS


def test_every_standard_subset_has_a_digest_so_that_no_fingerprint_draws(drawn: list[tuple[str, int]]) -> None:
    assert set(DIGESTS) == {make_subset_key(subset, size) for subset, size in SIZES.items()}
    assert len(ToyBox().fingerprint()) == 64 and drawn == []


def test_subsets_share_no_image() -> None:
    images = {subset: {image.tobytes() for image in draw_subset(subset, 12)["images"]} for subset in SIZES}
    assert all(len(images[subset]) == 12 for subset in SIZES)
    assert all(images[a].isdisjoint(images[b]) for a, b in combinations(SIZES, 2))


@pytest.mark.usefixtures("draws_whole_subset")
def test_a_cached_scene_equals_the_drawn_one(drawn: list[tuple[str, int]]) -> None:
    ToyBox(SMALL).read("train", 0)
    before = len(drawn)
    sample = ToyBox(SMALL).read("train", 2)
    assert len(drawn) == before == 3
    assert np.array_equal(sample.image, draw_scene("train", 2).image)
    assert np.array_equal(sample.labels, draw_scene("train", 2).labels)


def test_a_few_reads_draw_a_few_scenes_once_each(drawn: list[tuple[str, int]]) -> None:
    toybox = ToyBox()
    for index in (7, 7, 1599):
        toybox.read("train", index)
    assert drawn == [("train", 7), ("train", 1599)]


def test_many_reads_draw_the_whole_subset_and_cache_it(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(module, "_MAX_SINGLE_SCENES", 2)
    toybox = ToyBox({"train": 3})
    samples = [toybox.read("train", index) for index in (2, 1, 0, 2)]
    assert all(np.array_equal(sample.image, draw_scene("train", int(sample.image_id)).image) for sample in samples)
    assert [path.name for path in folder.iterdir()] == [f"{make_subset_key('train', 3)}.arrays"]


@pytest.mark.usefixtures("draws_whole_subset")
def test_a_broken_cache_is_replaced(folder: Path) -> None:
    ToyBox(SMALL).read("train", 0)
    path = folder / f"{make_subset_key('train', 3)}.arrays"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert np.array_equal(ToyBox(SMALL).read("train", 1).image, draw_scene("train", 1).image)
    assert path.read_bytes() == whole


@pytest.mark.usefixtures("draws_whole_subset")
def test_a_cache_of_other_scenes_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    save_arrays(make_subset_key("train", 3), draw_subset("test", 3))
    monkeypatch.setattr(module, "DIGESTS", {make_subset_key("train", 3): digest_scenes(draw_subset("train", 3))})
    assert np.array_equal(ToyBox(SMALL).read("train", 0).image, draw_scene("train", 0).image)


@pytest.mark.usefixtures("draws_whole_subset")
def test_a_machine_that_draws_other_pixels_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DIGESTS", {make_subset_key("train", 3): "0" * 64})
    with pytest.raises(RuntimeError, match="do not match their digest"):
        ToyBox(SMALL).read("train", 0)


@pytest.mark.usefixtures("draws_whole_subset")
def test_without_a_cache_the_subset_stays_in_memory(
    monkeypatch: pytest.MonkeyPatch, folder: Path, drawn: list[tuple[str, int]]
) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(folder / "file"))
    toybox = ToyBox(SMALL)
    assert [toybox.read("train", index).image_id for index in (0, 1, 2)] == ["000000", "000001", "000002"]
    assert len(drawn) == 3


def test_a_pickled_toybox_reads_the_same() -> None:
    toybox = ToyBox(SMALL)
    copy = pickle.loads(pickle.dumps(toybox))
    assert np.array_equal(copy.read("test", 1).image, toybox.read("test", 1).image)


def test_the_fingerprint_depends_on_subsets_and_sizes() -> None:
    toyboxes = [ToyBox({"train": 2}), ToyBox({"train": 3}), ToyBox({"test": 2}), ToyBox({"train": 2})]
    first, longer, other, same = (toybox.fingerprint() for toybox in toyboxes)
    assert len({first, longer, other}) == 3 and first == same


def test_every_pixel_is_labeled_with_a_class() -> None:
    sample = ToyBox(SMALL).read("train", 0)
    assert sample.image.shape == (SIZE, SIZE, 3) and sample.labels.dtype == np.uint8
    assert np.array_equal(sample.labels, draw_scene("train", 0).labels) and sample.labels.max() < len(CLASSES)


def test_depth_and_caption_belong_to_the_image() -> None:
    toybox = ToyBox(SMALL)
    scene = toybox.scene("train", 1)
    assert np.array_equal(scene.image, toybox.read("train", 1).image) and scene.depth_mm.min() >= 5_000
    assert all(name in toybox.caption("train", 1) for name in scene.tags)
    assert toybox.caption("train", 1) == toybox.caption("train", 1)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_out_of_range_is_an_error(index: int) -> None:
    with pytest.raises(IndexError, match=f"scenes 0 to 2, got index {index}"):
        ToyBox(SMALL).read("train", index)


def test_an_unknown_subset_is_answered_with_the_closest() -> None:
    with pytest.raises(KeyError, match="no subset 'trian'; did you mean 'train'"):
        ToyBox().size("trian")


def test_the_catalog_opens_the_toybox_and_suggests_it_for_similar_names() -> None:
    assert open_dataset("toybox").name == "toybox" and "toybox" in list_datasets()
    with pytest.raises(KeyError, match="no dataset 'toybx'; did you mean 'toybox'"):
        open_dataset("toybx")


def test_every_split_of_the_toybox_fits_it() -> None:
    splits = [split for split in map(load_split, list_splits()) if split.dataset == "toybox"]
    assert splits and all(set(split.classes) <= set(CLASSES) for split in splits)
    assert all(ToyBox().size(subset) for split in splits for subset in (split.train, split.evaluate))


def test_a_scene_has_the_same_identity_before_and_after_it_is_drawn() -> None:
    toybox = ToyBox()
    sample = toybox.read("test", 3)
    assert toybox.get_image_ref("test", 3) == (sample.image_id, sample.file_name)
