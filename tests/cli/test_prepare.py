"""`data prepare` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmark.cli.prepare import prepare
from tests.data.prepare.originals import write_coco, write_context


def run_prepare(*arguments: str) -> Result:
    app = typer.Typer()
    app.command("prepare")(prepare)
    return CliRunner().invoke(app, arguments)


def test_the_written_files_and_the_next_command_are_printed(tmp_path: Path) -> None:
    root, out = write_context(tmp_path / "raw"), tmp_path / "out"
    result = run_prepare("pascal_context", "--root", str(root), "--out", str(out), "--jobs", "1")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{out}: 3 files written, 0 already there",
        f"Check the result: chimera-bench --data {out} data check pascal_context",
    ]
    assert result.stderr.splitlines()[-1] == "3/3 files, 0 s left"


def test_a_second_call_writes_nothing(tmp_path: Path) -> None:
    words = ("coco_stuff164k", "--root", str(write_coco(tmp_path / "raw")), "--out", str(tmp_path / "out"), "-j", "1")
    run_prepare(*words)
    assert "0 files written, 3 already there" in run_prepare(*words).stdout


def test_every_broken_original_is_listed_and_the_exit_code_is_one(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "raw")
    broken = [path for path in sorted(root.rglob("*.png")) if "train2017" in str(path)]
    for path in broken:
        path.write_bytes(b"")
    result = run_prepare("coco_stuff164k", "--root", str(root), "--out", str(tmp_path / "out"), "--jobs", "1")
    assert result.exit_code == 1 and "1 file written" in result.stdout
    assert [line for line in result.stderr.splitlines() if line.startswith("broken: ")] == [
        f"broken: {path} is empty (0 bytes); copy or download it again" for path in broken
    ]
    assert result.stderr.splitlines()[-1].startswith("2 broken originals: replace them and run the same command")


def test_the_layout_can_be_chosen(tmp_path: Path) -> None:
    words = ("--root", str(write_coco(tmp_path / "raw")), "--out", str(tmp_path / "out"), "--layout", "detectron2")
    assert run_prepare("coco_stuff164k", *words, "--jobs", "1").exit_code == 0
    assert len(list((tmp_path / "out" / "stuffthingmaps_detectron2").rglob("*.png"))) == 3


@pytest.mark.parametrize("missing", ["--root", "--out"])
def test_both_folders_are_required(missing: str, tmp_path: Path) -> None:
    arguments = [word for name in {"--root", "--out"} - {missing} for word in (name, str(tmp_path))]
    result = run_prepare("coco_stuff164k", *arguments)
    assert result.exit_code == 2 and missing in result.stderr
