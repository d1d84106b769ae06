"""Files that a run read: changed ones are named, and relative paths that lead nowhere from the current folder."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from benchmark.core.run_record import RunRecord
from benchmark.execution.recorded_inputs import list_input_problems
from benchmark.store.store import Store
from tests.report.world import even, save, spec_of


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    """Return the record of a run that read the file e.npy by a relative path, with the content "old"."""
    file = tmp_path / "embeddings" / "e.npy"
    file.parent.mkdir()
    file.write_bytes(b"old")
    spec = spec_of(config={"class_embeddings": {"file": "e.npy", "kind": "file"}})
    store = Store(tmp_path / "runs")
    return store.run(save(store, spec, even(80, 60), inputs={str(file): sha256(b"old").hexdigest()})).read_record()


def test_files_as_they_were_are_no_problem(record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "embeddings")
    assert list_input_problems(record) == []


def test_a_file_with_other_content_is_named(record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "embeddings")
    Path("e.npy").write_bytes(b"new content")
    name, old, new = next(iter(record.inputs)), sha256(b"old").hexdigest(), sha256(b"new content").hexdigest()
    assert list_input_problems(record) == [
        f"input {name} has other content now: {old[:12]} when it was read, {new[:12]} now"
    ]


def test_a_relative_path_names_the_folder_that_it_is_relative_to(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"its config names e.npy relative to {tmp_path / 'embeddings'}: start the command in that folder"
    assert list_input_problems(record) == [line]
    (tmp_path / "embeddings" / "e.npy").unlink()
    assert list_input_problems(record) == [f"{line}, after you copied e.npy there"]
