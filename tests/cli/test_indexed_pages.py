"""Pages of `report` come from the index only while no file of the store has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from benchmark.cli import reports
from benchmark.store.index import file_identity, report_index
from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.report.world import two_rows

Write = Callable[..., tuple[bytes, int]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store with a study, whose reports are kept although it is small and new."""
    monkeypatch.setattr(report_index, "MIN_BYTES", 0)
    monkeypatch.setattr(file_identity, "SETTLED_NS", 0)
    store = Store(tmp_path / "runs")
    store.write_plan(two_rows(store))
    return store


@pytest.fixture
def write(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes the page of the study and returns it with the number of times it was drawn."""
    collect = Mock(wraps=reports.collect_table)
    monkeypatch.setattr("benchmark.cli.report.collect_table", collect)
    monkeypatch.setattr("benchmark.report.html.study_report.draw_figures", lambda *_: ())  # they take all the time

    def write(*options: str) -> tuple[bytes, int]:
        collect.reset_mock()
        page = tmp_path / "page.html"
        line = ("--runs", str(store.root), "report", "demo", "--out", str(page), "--overwrite", *options)
        assert run_command(capsys, *line).code == 0
        return page.read_bytes(), collect.call_count

    return write


def test_a_page_is_drawn_once_and_the_same_without_the_index(write: Write) -> None:
    first, again, unindexed = write(), write(), write("--no-index")
    assert first[0] == again[0] == unindexed[0]
    assert (first[1], again[1], unindexed[1]) == (1, 0, 1)


def test_new_losses_a_log_and_a_new_run_make_a_new_page(store: Store, write: Write) -> None:
    run = store.run(store.list_ids()[0])
    assert write()[1] == 1
    run.append_losses(0, {"loss": 0.5})
    assert [write()[1], write()[1]] == [1, 0]
    (run.path / "attempts" / "1").mkdir(parents=True)
    (run.path / "attempts" / "1" / "log.txt").write_text("line\n")
    assert [write()[1], write()[1]] == [1, 0]
    (store.root / "other.txt").write_text("")
    assert [write()[1], write("--baseline", "no SGD")[1]] == [1, 1]
