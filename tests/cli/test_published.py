"""Tests of `published` as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.published import checks, read
from benchmark.published.explanations import Explanation, read_explanations
from benchmark.published.read import PUBLISHED
from tests.cli.shell import run_command
from tests.published.small_folder import write_folder


def test_rows_are_printed_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_command(
        capsys, "published", "--dataset", "Pascal VOC 2012", "--split", "voc 2012", "--setting", "INDUCTIVE"
    )
    assert result.code == 0 and result.err == ""
    assert "Published numbers, voc12, inductive, in percent" in result.out
    assert "ZegCLIP README, early results table" in result.out and "VOC20" not in result.out


def test_only_verified_rows_are_printed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_command(capsys, "published", "--method", "FreeSeg + MAFT", "--verified", "--json")
    assert [row["method"] for row in json.loads(result.out)["rows"]] == ["FreeSeg + MAFT", "FreeSeg + MAFT"]


def test_columns_and_order_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--split", "A847", "--sort", "miou,desc", "--columns", "miou,venue", "--format", "md")
    lines = run_command(capsys, "published", *options).out.splitlines()
    assert lines[2] == "| Method | mIoU | Venue |" and lines[4].startswith("| OpenWorldSAM<sup>a</sup> | 33.1 |")


def test_a_table_is_written_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "published.csv"
    result = run_command(capsys, "published", "--format", "csv", "--out", str(path))
    assert (result.code, result.out, result.err) == (0, "", f"wrote {path}\n")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 896


@pytest.mark.parametrize(
    ("option", "name", "near"),
    [
        ("--dataset", "vocc12", "voc12"),
        ("--split", "coco_stuf", "COCO-Stuff"),
        ("--method", "zegclp", "ZegCLIP"),
        ("--setting", "inductif", "inductive"),
        ("--columns", "miu", "miou"),
        ("--sort", "yeer", "year"),
        ("--format", "mdd", "md"),
    ],
)
def test_a_misspelt_name_is_one_line_with_the_nearest(
    option: str, name: str, near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_command(capsys, "published", option, name)
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert f"did you mean {near!r}?" in result.err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--method", " "), "--method is ' ': give a name, or leave the option out"),
        (
            ("--split", "A847", "--setting", "inductive"),
            "no published number fits --split 'A847' --setting 'inductive'",
        ),
        (("--check", "--sort", "year"), "--check prints disagreements and no rows"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_command(capsys, "published", *options)
    assert (result.code, result.out) == (1, "") and problem in result.err


def test_the_committed_report_of_disagreements_is_what_the_command_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "disagreements.md"
    assert run_command(capsys, "published", "--check", "--format", "md", "--out", str(path)).code == 0
    assert path.read_text(encoding="utf-8") == (PUBLISHED / "disagreements.md").read_text(encoding="utf-8")


def test_disagreements_of_one_method_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_command(capsys, "published", "--check", "--method", "sfp", "--format", "json")
    found = json.loads(result.out)["disagreements"]
    assert result.code == 0 and [item["kind"] for item in found] == ["average", "sources"]


def test_no_disagreement_is_an_empty_table(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_command(capsys, "published", "--check", "--method", "DeOP")
    assert result.code == 0 and "Published numbers that do not fit each other: 0" in result.out


def test_a_disagreement_without_explanation_is_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = read.read_published(write_folder(tmp_path, gzss={"hiou": "75.0"}))
    monkeypatch.setattr(read, "read_published", lambda: rows)
    result = run_command(capsys, "published", "--check")
    assert result.code == 4 and "75.0 printed, 72.00 from S 90.0 and U 60.0" in result.out
    assert "1 disagreement not explained" in result.err and "explanations of nothing" in result.err


def test_an_explanation_of_nothing_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one: dict[str, Any] = {"kind": "hiou", "text": "a slip", "cases": {"Nobody": (1.0, 2.0)}}
    known = (*read_explanations(checks.EXPLANATIONS), Explanation(**one))
    monkeypatch.setattr(checks, "read_explanations", lambda _path: known)
    result = run_command(capsys, "published", "--check")
    assert result.code == 4 and "explanation of nothing, since the numbers changed: hiou: Nobody" in result.out
