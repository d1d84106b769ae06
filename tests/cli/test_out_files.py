"""Files that commands write to: which are refused, and that --overwrite means the same everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmark.cli.main import app
from benchmark.cli.out_files import check_out_file, check_out_folder
from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.report.world import even, save, spec_of

KEPT = {"new", "profile new", "splits", "d2 config"}
"""Commands whose files are made to be edited."""
CONTINUED = {"data make", "data prepare", "predict"}
"""Commands that continue what an interrupted call has written to a folder, and refuse any other folder."""


def list_commands(group: Any, *, before: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the names of commands, with the options of each."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from list_commands(command, before=f"{before}{name} ")
        else:
            yield f"{before}{name}", [option for parameter in command.params for option in parameter.opts]


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Return the folder of a store with one run of each of two rows."""
    store = Store(tmp_path / "runs")
    for label, unseen in (("paper", 60), ("other", 40)):
        save(store, spec_of(label), even(80, unseen))
    return str(store.root)


def test_every_command_that_writes_a_file_has_the_same_rule() -> None:
    options = dict(list_commands(typer.main.get_command(app)))
    writers = {name for name, known in options.items() if "--out" in known}
    assert writers - {name for name, known in options.items() if "--overwrite" in known} == KEPT | CONTINUED


@pytest.mark.parametrize(
    "command",
    [
        ("table", "demo"),
        ("compare", "demo/paper", "demo/other"),
        ("compute", "demo"),
        ("published", "--dataset", "voc12"),
        ("export", "demo"),
        ("archive", "demo"),
        ("report", "demo"),
        ("missing", "demo"),
        ("data", "contact-sheet"),
        ("speed", "gpu"),
    ],
)
def test_a_file_that_exists_is_refused_before_anything_is_computed(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.zip"
    out.write_text("mine")
    code, printed, err = run_command(capsys, "--runs", str(tmp_path / "none"), *command, "--out", str(out))
    assert (code, printed, out.read_text()) == (1, "", "mine")
    assert err == f"error: {out} exists: give another name, or --overwrite to replace it\n"


def test_overwrite_replaces_a_file_wherever_it_is_given(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "table.csv"
    arguments = ("--runs", runs, "table", "demo", "-f", "csv")
    file = ("--out", str(out))
    assert run_command(capsys, *arguments, *file).code == 0
    assert run_command(capsys, *arguments, *file).code == 1
    assert run_command(capsys, *arguments, "--overwrite", *file).code == 0
    assert run_command(capsys, *arguments, *file, "--overwrite").code == 0
    assert out.read_text() == run_command(capsys, *arguments).out


def test_figures_are_replaced_only_with_overwrite_and_otherwise_none_is_drawn(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--runs", runs, "plot", "demo", "--format", "svg", "--out", str(tmp_path / "figures"))
    drawn = run_command(capsys, *arguments).out.splitlines()
    for path in drawn[:-1]:
        Path(path).unlink()
    code, out, err = run_command(capsys, *arguments)
    assert (code, out) == (1, "") and f"{drawn[-1]} exists: give another folder, or --overwrite to replace" in err
    assert [str(path) for path in (tmp_path / "figures").iterdir()] == drawn[-1:]
    assert run_command(capsys, *arguments, "--overwrite").out.splitlines() == drawn


def test_names_that_are_no_file_are_refused_with_and_without_overwrite(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for is_overwritten in (False, True):
        for name in (Path("-"), tmp_path, Path(os.devnull), tmp_path / "pipe", tmp_path / "file" / "table.csv"):
            with pytest.raises(ValueError, match=rf"^--out {name}.* (is|expected) "):
                check_out_file(name, is_overwritten=is_overwritten)


def test_names_that_are_no_folder_are_refused_and_those_of_new_folders_are_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in (Path("-"), Path(os.devnull), tmp_path / "file", tmp_path / "file" / "figures"):
        with pytest.raises(ValueError, match=rf"^--out {name}.* (is|expected) "):
            check_out_folder(name)
    check_out_folder(tmp_path)
    check_out_folder(tmp_path / "new" / "figures")


def test_a_link_is_a_file_that_exists(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="exists"):
        check_out_file(tmp_path / "link", is_overwritten=False)


@pytest.mark.parametrize(
    ("options", "begin"),
    [
        (("table", "demo", "--out", "table.csv"), "label,group"),
        (("table", "demo", "--out", "table.MD"), "**demo**"),
        (("table", "demo", "--out", "table.csv", "-f", "txt"), "demo\n──"),
        (("table", "demo", "--out", "table.other"), "demo\n──"),
        (("compare", "demo/paper", "demo/other", "--out", "sides.json"), "{"),
        (("compute", "demo", "--out", "compute.tex"), "% needs"),
        (("published", "--out", "numbers.csv"), "id,"),
    ],
)
def test_without_a_format_the_suffix_of_a_file_says_it(
    options: tuple[str, ...],
    begin: str,
    runs: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(capsys, "--runs", runs, *options).code == 0
    text = Path(options[options.index("--out") + 1]).read_text(encoding="utf-8")
    assert text.startswith(begin), text[:80]


def test_an_export_names_all_suffixes_before_it_computes(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.report.rows.read_rows", None)
    err = run_command(capsys, "--runs", runs, "export", "demo", "--out", str(tmp_path / "a.xls")).err
    assert err.endswith(
        "a.xls has none of the suffixes .csv, .json, .parquet, .zip: the suffix says which format to write\n"
    )


def test_a_new_method_is_written_whole_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchmark.utils.atomic_files._flush", refuse)
    code, _, err = run_command(capsys, "new", "mine", "--out", str(tmp_path / "methods"))
    assert code == 1 and "No space left on device" in err and list((tmp_path / "methods").iterdir()) == []
