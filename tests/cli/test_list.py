"""What `list` says of studies and splits is what they are when they are read in full."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.cli import studies
from benchmark.core.split import load_split, split_names
from benchmark.core.study import load_study, study_names


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, str | int]]]:
    studies.list_all(as_json=True)
    found: dict[str, list[dict[str, str | int]]] = json.loads(capsys.readouterr().out)
    return found


def test_studies_are_listed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    full = [load_study(name) for name in study_names()]
    wanted = [(one.name, one.title, len(one.rows), len(one.seeds), one.split) for one in full]
    assert [tuple(one.values()) for one in listed(capsys)["studies"]] == wanted


def test_splits_are_listed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    full = [load_split(name) for name in split_names()]
    wanted = [(one.name, one.dataset, len(one.seen), len(one.unseen), one.protocol) for one in full]
    assert [tuple(one.values()) for one in listed(capsys)["splits"]] == wanted


def test_a_broken_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "half.yaml").write_text("classes: [a, b")
    monkeypatch.setattr(studies, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"half\.yaml is not a table in YAML"):
        studies.list_all()
