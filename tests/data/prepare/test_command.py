"""`data prepare` as it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmark.cli.prepare import prepare
from tests.data.prepare.originals import write_coco, write_context


def give(*arguments: str) -> Result:
    app = typer.Typer()
    app.command("prepare")(prepare)
    return CliRunner().invoke(app, arguments)


def test_it_says_what_was_made_and_what_to_do_next(tmp_path: Path) -> None:
    root, out = write_context(tmp_path / "raw"), tmp_path / "out"
    said = give("pascal_context", "--root", str(root), "--out", str(out), "--jobs", "1")
    assert said.exit_code == 0
    assert said.stdout.splitlines() == [
        f"{out}: 3 files made, 0 were there",
        f"look whether all is well: chimera-bench data check pascal_context --root {out}",
    ]
    assert said.stderr.splitlines()[-1] == "3/3 files, 0 s left"


def test_a_command_given_again_makes_nothing(tmp_path: Path) -> None:
    words = ("coco_stuff164k", "--root", str(write_coco(tmp_path / "raw")), "--out", str(tmp_path / "out"), "-j", "1")
    give(*words)
    assert "0 files made, 3 were there" in give(*words).stdout


def test_broken_originals_are_all_named_and_the_exit_code_is_one(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "raw")
    broken = [path for path in sorted(root.rglob("*.png")) if "train2017" in str(path)]
    for path in broken:
        path.write_bytes(b"")
    said = give("coco_stuff164k", "--root", str(root), "--out", str(tmp_path / "out"), "--jobs", "1")
    assert said.exit_code == 1 and "1 file made" in said.stdout
    assert [line for line in said.stderr.splitlines() if line.startswith("broken: ")] == [
        f"broken: {path} is empty (0 bytes); copy or download it again" for path in broken
    ]
    assert said.stderr.splitlines()[-1].startswith("2 complaints: replace these originals and give the same command")


def test_the_layout_is_a_choice(tmp_path: Path) -> None:
    words = ("--root", str(write_coco(tmp_path / "raw")), "--out", str(tmp_path / "out"), "--layout", "detectron2")
    assert give("coco_stuff164k", *words, "--jobs", "1").exit_code == 0
    assert len(list((tmp_path / "out" / "stuffthingmaps_detectron2").rglob("*.png"))) == 3


@pytest.mark.parametrize("missing", ["--root", "--out"])
def test_both_folders_have_to_be_given(missing: str, tmp_path: Path) -> None:
    given = [word for name in {"--root", "--out"} - {missing} for word in (name, str(tmp_path))]
    said = give("coco_stuff164k", *given)
    assert said.exit_code == 2 and missing in said.stderr
