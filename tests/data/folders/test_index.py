"""The index of facts: every file is read once, and again after a change."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.folders import index as module
from benchmark.data.folders import scan
from benchmark.data.folders.dataset_spec import load_dataset_spec
from benchmark.data.folders.decode import read_content
from benchmark.data.folders.discovery import ImageFiles
from benchmark.data.folders.index import ScanIndex, ScanResults
from benchmark.data.folders.scan import ImageFacts
from tests.data.trees import HEIGHT, WIDTH, save_image, save_mask, write

SPEC = load_dataset_spec("voc12")
IMAGES = [ImageFiles(f"JPEGImages/{name}.jpg", f"SegmentationClass/{name}.png", "raw") for name in "abc"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write three images; image n shows the classes 0 and n + 1."""
    for number, files in enumerate(IMAGES):
        save_image(tmp_path / "voc" / files.image)
        save_mask(tmp_path / "voc" / files.mask, np.array([[0, number + 1] * 4] * HEIGHT))
    return tmp_path / "voc"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that collects the names of all files that are read."""
    names: list[str] = []

    def read_and_collect(path: Path) -> bytes:
        names.append(path.name)
        return read_content(path)

    monkeypatch.setattr(scan, "read_content", read_and_collect)
    return names


def scan_images(root: Path, *, full: bool = False) -> ScanResults:
    return ScanIndex(SPEC, root).scan(IMAGES, full=full)


def test_facts_match_the_files(root: Path) -> None:
    results = scan_images(root)
    assert results.problems == () and results.num_cached == 0
    assert [facts.classes for facts in results.facts] == [(0, 1), (0, 2), (0, 3)]
    assert all(facts.size == (HEIGHT, WIDTH) for facts in results.facts)


def test_a_second_scan_opens_no_file_and_has_the_same_results(root: Path, opened: list[str]) -> None:
    first = scan_images(root)
    assert sorted(opened) == ["a.jpg", "a.png", "b.jpg", "b.png", "c.jpg", "c.png"]
    opened.clear()
    second = scan_images(root)
    assert opened == [] and second.results == first.results and second.num_cached == 3


@pytest.mark.parametrize("name", ["JPEGImages/b.jpg", "SegmentationClass/b.png"])
def test_a_file_with_another_modification_time_is_read_again(name: str, root: Path, opened: list[str]) -> None:
    scan_images(root)
    opened.clear()
    os.utime(root / name, ns=(0, 1_000_000_000))
    assert scan_images(root).num_cached == 2 and sorted(opened) == ["b.jpg", "b.png"]
    opened.clear()
    assert scan_images(root).num_cached == 3 and opened == []


def test_a_file_of_another_size_is_read_again_even_with_the_same_time(root: Path, opened: list[str]) -> None:
    before, path = scan_images(root), root / "JPEGImages/b.jpg"
    stat = path.stat()
    write(path, path.read_bytes() + b"\0")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    opened.clear()
    after = scan_images(root)
    assert (
        sorted(opened) == ["b.jpg", "b.png"]
        and after.results[1] != before.results[1]
        and after.results[2] == before.results[2]
    )


def test_broken_files_are_read_every_time_and_hide_no_other(root: Path, opened: list[str]) -> None:
    write(root / "JPEGImages/b.jpg", b"")
    for _ in range(2):
        opened.clear()
        scanned = scan_images(root)
        assert [isinstance(result, ImageFacts) for result in scanned.results] == [True, False, True]
        assert [problem.kind for problem in scanned.problems] == ["image"] and "b.jpg" in opened
    assert scanned.num_cached == 2


def test_both_files_of_an_image_may_be_broken(root: Path) -> None:
    write(root / IMAGES[0].image, b"text")
    save_mask(root / IMAGES[0].mask, np.full((HEIGHT, WIDTH), 99))
    (root / IMAGES[1].mask).unlink()
    problems = [(problem.kind, Path(problem.path).name) for problem in scan_images(root).problems]
    assert problems == [("image", "a.jpg"), ("values", "a.png"), ("mask", "b.png")]


def test_a_full_scan_decodes_images_once(root: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]) -> None:
    content = (root / "JPEGImages/b.jpg").read_bytes()
    at = content.index(b"\xff\xc4") + 6  # inside a Huffman table, which reading the header skips
    write(root / "JPEGImages/b.jpg", content[:at] + b"\xff" * 12 + content[at + 12 :])
    assert scan_images(root).problems == ()
    assert [problem.kind for problem in scan_images(root, full=True).problems] == ["image"]
    opened.clear()
    scan_images(root, full=True)
    assert opened == ["b.jpg", "b.png"]


def test_a_broken_cache_is_replaced(root: Path, cache: Path) -> None:
    first = scan_images(root)
    (path,) = cache.glob("index/*.arrays")
    write(path, path.read_bytes()[:-7])
    second = scan_images(root)
    assert second.results == first.results and second.num_cached == 0 and scan_images(root).num_cached == 3


def test_an_unwritable_cache_only_costs_time(root: Path, cache: Path) -> None:
    write(cache, b"not a folder")
    assert scan_images(root).problems == () and scan_images(root).num_cached == 0


def test_every_folder_and_encoding_has_its_own_cache(root: Path, tmp_path: Path) -> None:
    scan_images(root)
    (tmp_path / "copy").symlink_to(root)
    assert scan_images(tmp_path / "copy").num_cached == 3  # the same folder by another name
    other = SPEC.model_copy(
        update={"mask_encodings": {"raw": SPEC.mask_encodings["raw"].model_copy(update={"offset": 1})}}
    )
    assert ScanIndex(other, root).scan(IMAGES).num_cached == 0


def test_facts_read_before_an_interruption_are_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "_CHUNK", 1)
    with pytest.raises(KeyboardInterrupt):
        ScanIndex(SPEC, root).scan(IMAGES, on_progress=stop)
    assert scan_images(root).num_cached == 2


def test_facts_are_saved_regularly(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(module, "_CHUNK", 1)
    monkeypatch.setattr(module, "_SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(module, "save_arrays", lambda name, arrays: saved.append(len(arrays["sizes"])))
    scan_images(root)
    assert saved == [1, 2, 3]


def test_facts_about_other_subsets_are_kept(root: Path) -> None:
    ScanIndex(SPEC, root).scan(IMAGES[:1])
    ScanIndex(SPEC, root).scan(IMAGES[1:])
    assert scan_images(root).num_cached == 3


def test_an_image_requested_twice_is_read_once(root: Path, opened: list[str]) -> None:
    first, second, again = ScanIndex(SPEC, root).scan([IMAGES[0], IMAGES[1], IMAGES[0]]).results
    assert len(opened) == 4 and first == again != second


def test_progress_counts_the_images_that_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "_CHUNK", 1)
    ScanIndex(SPEC, root).scan(IMAGES[:1])
    ScanIndex(SPEC, root).scan(IMAGES, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]


def test_packed_facts_are_unpacked_unchanged(root: Path) -> None:
    facts = dict(zip(IMAGES, scan_images(root).facts, strict=True))
    facts[IMAGES[1]] = replace(facts[IMAGES[1]], classes=(), is_decoded=True)
    assert module._unpack_facts(module._pack_facts(facts, 21), 21) == facts
