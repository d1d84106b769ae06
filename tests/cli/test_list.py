"""`list` prints the same studies and splits as loading them in full."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.cli import studies
from benchmark.core.split import list_splits, load_split
from benchmark.core.study import Study, list_studies, load_study


def run_list(capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, str | int]]]:
    studies.list_all(as_json=True)
    result: dict[str, list[dict[str, str | int]]] = json.loads(capsys.readouterr().out)
    return result


def name_splits(study: Study) -> str:
    resampled = study.resampled
    return ", ".join(study.split) if resampled is None else f"{resampled.count} splits of {resampled.of}"


def test_listed_studies_equal_loaded_studies(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = [load_study(name) for name in list_studies()]
    expected = [(study.name, study.title, len(study.rows), len(study.seeds), name_splits(study)) for study in loaded]
    assert [tuple(study.values()) for study in run_list(capsys)["studies"]] == expected


def test_listed_splits_equal_loaded_splits(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = [load_split(name) for name in list_splits()]
    expected = [(split.name, split.dataset, len(split.seen), len(split.unseen), split.protocol) for split in loaded]
    assert [tuple(split.values()) for split in run_list(capsys)["splits"]] == expected


def test_a_broken_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "half.yaml").write_text("classes: [a, b")
    monkeypatch.setattr(studies, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"half\.yaml is not a valid YAML mapping"):
        studies.list_all()
