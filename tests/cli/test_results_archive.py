"""Tests of `export NAME --out FILE.zip` and `import FILE.zip` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.exchange.archives import change, read_members
from tests.report.world import two_rows

FORMATS = ("txt", "md", "csv", "json", "tex", "html")


@pytest.fixture
def archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    store, out = Store(tmp_path / "theirs"), tmp_path / "a.zip"
    store.write_plan(two_rows(store))
    result = run_command(capsys, "--runs", str(store.root), "export", "demo", "--out", str(out))
    assert result.code == 0 and "6 runs, 6 tables" in result.out and "SHA-256" in result.out
    return out


def test_a_store_filled_by_an_archive_prints_the_table_in_it(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = ("--runs", str(tmp_path / "new"))
    result = run_command(capsys, *new, "import", str(archive))
    assert result.code == 0 and "6 new" in result.out and "plan demo: new" in result.out
    for fmt in FORMATS:
        out = tmp_path / f"demo.{fmt}"
        assert run_command(capsys, *new, "table", "demo", "--format", fmt, "--out", str(out)).code == 0
        assert out.read_bytes() == read_members(archive)[f"tables/demo.{fmt}"]


def test_check_takes_nothing_in_and_names_what_differs(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new"
    result = run_command(capsys, "--runs", str(new), "import", str(archive), "--check")
    assert result.code == 0 and result.out.count(": identical") == 6 and not new.exists()
    other = change(archive, lambda members: members.update({"tables/demo.md": b"mine"}))
    result = run_command(capsys, "--runs", str(new), "import", str(other), "--check", "--json")
    assert result.code == 4 and not new.exists()
    tables = json.loads(result.out)["tables"]
    assert [table["name"] for table in tables if not table["identical"]] == ["demo.md"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("import", "{archive}", "--as", "SAM 3", "--seed", "1"), "is an archive of results: leave out --as, --seed"),
        (("import", "{folder}"), "label maps need --as, --split, --supervision too"),
        (("import", "{folder}", "--as", "x", "--split", "toybox"), "label maps need --supervision too"),
        (("import", "{folder}", "--check"), "--check verifies archives of results"),
        (("import", "{folder}/nowhere.zip"), "no archive"),
        (("export", "demo", "--out", "{folder}/b.zip", "--split", "toybox"), "leave out --split"),
        (("export", "demo", "--out", "{archive}"), "exists: give another name"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    filled = [word.format(archive=archive, folder=tmp_path) for word in words]
    result = run_command(capsys, "--runs", str(tmp_path / "theirs"), *filled)
    assert result.code == 1 and message in result.err and result.err.count("\n") == 1
