"""Every file is read once, and again when it changed."""

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

INFO = load_dataset_spec("voc12")
PAIRS = [ImageFiles(f"JPEGImages/{name}.jpg", f"SegmentationClass/{name}.png", "raw") for name in "abc"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three images; picture n shows the classes 0 and n + 1."""
    for number, pair in enumerate(PAIRS):
        save_image(tmp_path / "voc" / pair.image)
        save_mask(tmp_path / "voc" / pair.mask, np.array([[0, number + 1] * 4] * HEIGHT))
    return tmp_path / "voc"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes every file that is read."""
    notes: list[str] = []

    def noted(path: Path) -> bytes:
        notes.append(path.name)
        return read_content(path)

    monkeypatch.setattr(scan, "read_content", noted)
    return notes


def look(root: Path, *, full: bool = False) -> ScanResults:
    return ScanIndex(INFO, root).scan(PAIRS, full=full)


def test_facts_are_those_of_the_files(root: Path) -> None:
    found = look(root)
    assert found.problems == () and found.num_cached == 0
    assert [one.classes for one in found.results if isinstance(one, ImageFacts)] == [(0, 1), (0, 2), (0, 3)]
    assert all(isinstance(one, ImageFacts) and one.size == (HEIGHT, WIDTH) for one in found.results)


def test_a_second_look_opens_no_file_and_finds_the_same(root: Path, opened: list[str]) -> None:
    first = look(root)
    assert sorted(opened) == ["a.jpg", "a.png", "b.jpg", "b.png", "c.jpg", "c.png"]
    opened.clear()
    second = look(root)
    assert opened == [] and second.results == first.results and second.num_cached == 3


@pytest.mark.parametrize("name", ["JPEGImages/b.jpg", "SegmentationClass/b.png"])
def test_a_file_with_another_time_is_read_again(name: str, root: Path, opened: list[str]) -> None:
    look(root)
    opened.clear()
    os.utime(root / name, ns=(0, 1_000_000_000))
    assert look(root).num_cached == 2 and sorted(opened) == ["b.jpg", "b.png"]
    opened.clear()
    assert look(root).num_cached == 3 and opened == []


def test_a_file_of_another_size_is_read_again_even_with_the_same_time(root: Path, opened: list[str]) -> None:
    before, path = look(root), root / "JPEGImages/b.jpg"
    stat = path.stat()
    write(path, path.read_bytes() + b"\0")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    opened.clear()
    after = look(root)
    assert (
        sorted(opened) == ["b.jpg", "b.png"]
        and after.results[1] != before.results[1]
        and after.results[2] == before.results[2]
    )


def test_broken_files_are_looked_at_every_time_and_hide_no_other(root: Path, opened: list[str]) -> None:
    write(root / "JPEGImages/b.jpg", b"")
    for _ in range(2):
        opened.clear()
        found = look(root)
        assert [isinstance(one, ImageFacts) for one in found.results] == [True, False, True]
        assert [problem.kind for problem in found.problems] == ["picture"] and "b.jpg" in opened
    assert found.num_cached == 2


def test_both_files_of_an_image_may_be_broken(root: Path) -> None:
    write(root / PAIRS[0].image, b"text")
    save_mask(root / PAIRS[0].mask, np.full((HEIGHT, WIDTH), 99))
    (root / PAIRS[1].mask).unlink()
    found = [(problem.kind, Path(problem.path).name) for problem in look(root).problems]
    assert found == [("picture", "a.jpg"), ("ids", "a.png"), ("mask", "b.png")]


def test_a_full_look_decodes_pictures_once(root: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]) -> None:
    content = (root / "JPEGImages/b.jpg").read_bytes()
    at = content.index(b"\xff\xc4") + 6  # inside a Huffman table, where no header is read
    write(root / "JPEGImages/b.jpg", content[:at] + b"\xff" * 12 + content[at + 12 :])
    assert look(root).problems == ()
    assert [problem.kind for problem in look(root, full=True).problems] == ["picture"]
    opened.clear()
    look(root, full=True)
    assert opened == ["b.jpg", "b.png"]


def test_a_broken_cache_is_made_again(root: Path, cache: Path) -> None:
    first = look(root)
    (path,) = cache.glob("index/*.arrays")
    write(path, path.read_bytes()[:-7])
    second = look(root)
    assert second.results == first.results and second.num_cached == 0 and look(root).num_cached == 3


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(root: Path, cache: Path) -> None:
    write(cache, b"in the way")
    assert look(root).problems == () and look(root).num_cached == 0


def test_another_folder_or_another_meaning_has_a_cache_of_its_own(root: Path, tmp_path: Path) -> None:
    look(root)
    (tmp_path / "copy").symlink_to(root)
    assert look(tmp_path / "copy").num_cached == 3  # the same folder by another name
    other = INFO.model_copy(
        update={"mask_encodings": {"raw": INFO.mask_encodings["raw"].model_copy(update={"offset": 1})}}
    )
    assert ScanIndex(other, root).scan(PAIRS).num_cached == 0


def test_what_was_read_before_an_interruption_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "_CHUNK", 1)
    with pytest.raises(KeyboardInterrupt):
        ScanIndex(INFO, root).scan(PAIRS, on_progress=stop)
    assert look(root).num_cached == 2


def test_what_was_read_is_kept_now_and_then(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    monkeypatch.setattr(module, "_CHUNK", 1)
    monkeypatch.setattr(module, "_SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(module, "keep_arrays", lambda name, arrays: kept.append(len(arrays["sizes"])))
    look(root)
    assert kept == [1, 2, 3]


def test_images_of_other_parts_stay_known(root: Path) -> None:
    ScanIndex(INFO, root).scan(PAIRS[:1])
    ScanIndex(INFO, root).scan(PAIRS[1:])
    assert look(root).num_cached == 3


def test_an_image_that_is_asked_for_twice_is_read_once(root: Path, opened: list[str]) -> None:
    found = ScanIndex(INFO, root).scan([PAIRS[0], PAIRS[1], PAIRS[0]])
    assert len(opened) == 4 and found.results[0] == found.results[2] != found.results[1]


def test_progress_counts_the_images_that_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "_CHUNK", 1)
    ScanIndex(INFO, root).scan(PAIRS[:1])
    ScanIndex(INFO, root).scan(PAIRS, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_kept_facts_are_the_facts(root: Path) -> None:
    facts = {pair: one for pair, one in zip(PAIRS, look(root).results, strict=True) if isinstance(one, ImageFacts)}
    facts[PAIRS[1]] = replace(facts[PAIRS[1]], classes=(), is_decoded=True)
    assert module._unpack_facts(module._pack_facts(facts, 21), 21) == facts
