"""Tests of the verification of imported runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmark.exchange.import_labels import import_labels
from benchmark.exchange.recount import recount
from benchmark.planning.resolve import load_recipe_of
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from tests.exchange.worlds import add_tiny, make_labels, make_request, write_labels


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunFolder:
    split, store = add_tiny(monkeypatch, tmp_path), Store(tmp_path / "runs")
    folder = write_labels(tmp_path / "p", make_labels())
    record = import_labels(make_request(folder, split, ids="2,0,1"), store=store).record
    return store.run(record.spec.id)


def test_the_files_of_the_import_give_the_same_counts_with_the_same_ids(run: RunFolder) -> None:
    result = recount(run)
    assert result.is_identical and result.exit_code is ExitCode.SUCCESS and result.changed_files == ()


def test_a_changed_file_is_named(run: RunFolder, tmp_path: Path) -> None:
    write_labels(tmp_path / "p", {"2": make_labels(seed=1)["2"]})
    result = recount(run)
    assert result.exit_code is ExitCode.DIFFERENT and result.changed_files == ("2.png",)
    assert "2.png" in result.format_lines()[1]


def test_files_that_are_gone_can_be_given(run: RunFolder, tmp_path: Path) -> None:
    shutil.move(tmp_path / "p", tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"cannot be run again, and its label maps are not in .*/p: give their folder"):
        recount(run)
    assert recount(run, path=tmp_path / "elsewhere").is_identical


def test_an_imported_run_has_no_method(run: RunFolder) -> None:
    with pytest.raises(ValueError, match="has no method that could be run: its predictions were imported"):
        load_recipe_of(run.read_spec())
