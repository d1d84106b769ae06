"""`splits` as a user meets it: unseen classes on the screen, as JSON and as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmark.core.split import load_split
from tests.cli.shell import TINY, run_command
from tests.core.test_split_draw import write_base

Capsys = pytest.CaptureFixture[str]


def write_study(folder: Path, **resampled: object) -> str:
    fields = {"of": write_base(folder), "count": 9, "unseen": {"stuff": 2, "things": 1}} | resampled
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({"title": "T", "seeds": [0], "rows": [TINY], "resampled": fields}))
    return str(path)


def test_the_splits_of_a_study_are_counted_by_class(tmp_path: Path, capsys: Capsys) -> None:
    described = json.loads(run_command(capsys, "splits", write_study(tmp_path), "--json").out)
    # all that exist: 2 of 3 kinds of stuff, and 1 of 3 things
    assert described["times_unseen"] == {
        "d": {"sky": 0, "sea": 6, "sand": 6, "snow": 6, "cup": 0, "car": 3, "cow": 3, "cat": 3}
    }
    assert [split["name"] for split in described["splits"]] == [f"base@stuff2+things1-s0-0{n}" for n in range(9)]


def test_classes_are_printed_with_their_kind(tmp_path: Path, capsys: Capsys) -> None:
    lines = run_command(capsys, "splits", write_study(tmp_path)).out.splitlines()
    assert lines[0].split() == ["split", "seen", "+", "unseen", "unseen", "classes"]
    assert "In how many of 9 splits of d each class is unseen" in lines
    assert ["cup", "things", "(never", "unseen)", "0"] in [line.split() for line in lines]


def test_a_written_split_reads_as_the_drawn_one(tmp_path: Path, capsys: Capsys) -> None:
    base, out = write_base(tmp_path, note="café: 1"), tmp_path / "new" / "drawn"
    name = f"{base}@stuff2+things1-s3-04"
    for _ in range(2):  # a file that is there already is left alone
        assert run_command(capsys, "splits", name, "--out", str(out)).code == 0
    written, drawn = load_split(str(out / "base@stuff2+things1-s3-04.yaml")), load_split(name)
    assert written == drawn and written.digest() == drawn.digest()


def test_a_file_with_other_content_is_not_replaced_and_no_other_is_written(tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "toybox@2-s0-00.yaml").write_text("mine")
    result = run_command(capsys, "splits", "toybox", "toybox@2-s0-00", "--out", str(tmp_path))
    assert result.code != 0 and "exists already with other content" in result.err
    assert (tmp_path / "toybox@2-s0-00.yaml").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["toybox@2-s0-00.yaml"]


def test_splits_of_files_with_the_same_name_are_told_apart_and_not_written(tmp_path: Path, capsys: Capsys) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
    names = [
        f"{write_base(tmp_path / 'a')}@2-s0-00",
        f"{write_base(tmp_path / 'b', unseen=['cow'], evaluate='val')}@2-s0-00",
    ]
    lines = run_command(capsys, "splits", *names).out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == names
    result = run_command(capsys, "splits", *names, "--out", str(tmp_path / "out"))
    assert result.code != 0 and "two splits are called 'base@2-s0-00': rename one of the files" in result.err
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder_to_write_to(tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "file").touch()
    result = run_command(capsys, "splits", "toybox", "--out", str(tmp_path / "file"))
    assert result.code != 0 and "is no folder" in result.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ablation", "no split or study 'ablation'; did you mean 'ablations'?"),
        ("none.yaml", "no file of a split or study file 'none.yaml'"),
        ("toybox@x", "is no name of a drawn split"),
    ],
)
def test_unknown_names_are_answered(name: str, message: str, capsys: Capsys) -> None:
    result = run_command(capsys, "splits", name)
    assert result.code != 0 and message in result.err


def test_several_datasets_have_a_table_each(capsys: Capsys) -> None:
    names = ("voc12@5-s0-00", "voc12@5-s0-01", "coco_stuff164k")
    out = run_command(capsys, "splits", *names).out
    assert "In how many of 2 splits of voc12 each" in out and "splits of coco_stuff164k" not in out
