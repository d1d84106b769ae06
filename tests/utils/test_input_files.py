"""Files that a run reads are recorded by content, under names that other machines understand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmark.utils.input_files import (
    collect_inputs,
    hash_file,
    locate_file,
    name_file,
    record_digest,
    record_input,
)
from benchmark.utils.paths import ROOT


def test_files_are_recorded_within_a_run_only(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    record_input(path)
    with collect_inputs() as first:
        record_input(path)
        record_digest("imagenet: resnet50", "ab")
    with collect_inputs() as second:
        pass
    assert first == {str(path): hashlib.sha256(b"one").hexdigest(), "imagenet: resnet50": "ab"} and second == {}


def test_files_are_named_by_the_folders_that_every_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_WEIGHTS", str(tmp_path / "w"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert name_file(ROOT / "splits" / "x.txt") == "splits/x.txt"
    assert name_file(tmp_path / "w" / "a.pt") == "$CHIMERA_BENCH_WEIGHTS/a.pt"
    assert name_file(Path("~/b.pt")) == "~/b.pt"
    assert name_file(Path("/c.pt")) == "/c.pt"


def test_a_file_is_found_again_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_WEIGHTS", str(tmp_path))
    (tmp_path / "a.pt").write_bytes(b"")
    assert locate_file("$CHIMERA_BENCH_WEIGHTS/a.pt") == tmp_path / "a.pt"
    assert locate_file("pyproject.toml") == ROOT / "pyproject.toml"
    assert locate_file("~/nothing/here") is None and locate_file("imagenet: resnet50") is None


def test_a_large_file_is_read_once_for_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("benchmark.utils.input_files.SLOW_BYTES", 2)
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    digest = hash_file(path)
    (note,) = (tmp_path / "cache" / "file_digests").iterdir()
    assert digest == note.read_text() == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"three")
    assert hash_file(path) == hashlib.sha256(b"three").hexdigest()
