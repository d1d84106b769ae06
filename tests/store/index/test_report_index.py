"""A report is printed from the index only while everything that it was drawn from is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.report.tables.formats import FORMATS
from benchmark.store import staleness
from benchmark.store.index import file_identity, index_file, report_index
from benchmark.store.store import Store
from benchmark.utils.input_files import hash_file
from tests.cli.shell import CommandResult, run_command
from tests.report.world import even, plan_of, save, spec_of


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store with a study of two rows, whose reports are kept although it is small and new."""
    monkeypatch.setattr(report_index, "MIN_BYTES", 0)
    monkeypatch.setattr(file_identity, "SETTLED_NS", 0)
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))
    store = Store(tmp_path / "runs")
    rows = {
        name: {seed: save(store, spec_of(name, seed=seed), even(80 - seed, unseen)) for seed in (0, 1)}
        for name, unseen in (("paper", 60), ("no SGD", 50))
    }
    store.write_plan(plan_of(rows))
    return store


class Table:
    """Command `table demo`, with the number of times that a table was drawn."""

    def __init__(self, store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.capsys, self.drawn = store, capsys, 0
        collect = __import__("benchmark.cli.reports", fromlist=["collect_table"]).collect_table

        def count(*arguments: object, **options: object) -> object:
            self.drawn += 1
            return collect(*arguments, **options)

        monkeypatch.setattr("benchmark.cli.reports.collect_table", count)

    def print(self, *arguments: str) -> CommandResult:
        """Run the command and return what it prints."""
        return run_command(self.capsys, "--runs", str(self.store.root), "table", "demo", *arguments)

    def check(self, *, drawn: int) -> None:
        """Check that the command prints what the files say, and how often it has drawn a table for that."""
        before, result = self.drawn, self.print()
        assert self.drawn - before == drawn
        assert result == self.print("--no-index")


@pytest.fixture
def table(store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(store, capsys, monkeypatch)


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_table_is_the_same_with_and_without_an_index(table: Table, fmt: str) -> None:
    without = table.print("-f", fmt, "--no-index")
    assert without.code == 0
    assert [table.print("-f", fmt), table.print("-f", fmt)] == [without, without]
    assert table.drawn == 2


def test_other_options_are_another_report(table: Table) -> None:
    table.print()
    assert "±" in table.print("--digits", "2").out
    assert table.drawn == 2


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


CHANGES: dict[str, Callable[[Store], object]] = {
    "a record": lambda store: edit(store.run(spec_of("paper").id).record_path, '"Demo"', '"Omed"'),
    "counts": lambda store: store.run(spec_of("paper").id).counts_path.write_bytes(b""),
    "a run is gone": lambda store: store.run(spec_of("paper").id).record_path.unlink(),
    "the plan": lambda store: edit(store.root / "plans" / "demo.json", "Demo study", "Study"),
    "an acceptance": lambda store: store.run(spec_of("paper").id).acceptance_path.write_text("{}"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_read(table: Table, name: str) -> None:
    table.print()
    CHANGES[name](table.store)
    table.check(drawn=1)


def test_a_run_that_has_failed_since_is_shown(table: Table) -> None:
    ids = {0: spec_of("late").id}
    table.store.write_plan(plan_of({"late": ids, "paper": {0: spec_of("paper").id}}))
    table.print()
    save(table.store, spec_of("late"), Failure(kind="E", message="it failed", log_tail=""))
    table.check(drawn=1)


def test_an_unfinished_run_that_has_begun_is_shown(table: Table) -> None:
    spec = spec_of("late")
    table.store.write_plan(plan_of({"late": {0: spec.id}, "paper": {0: spec_of("paper").id}}))
    table.print()
    table.store.run(spec.id).begin_attempt(spec)
    table.check(drawn=1)


def test_a_weight_file_outside_of_the_package_that_changed_is_noticed(table: Table, tmp_path: Path) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"1")
    digest = hash_file(weights)
    ids = {0: save(table.store, spec_of("downloaded"), even(80, 60), inputs={str(weights): digest})}
    table.store.write_plan(plan_of({"downloaded": ids}))
    table.print()
    weights.write_bytes(b"2")
    staleness._inputs.clear()  # as in another process
    assert "stale" in table.print().out


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-9], lambda content: b"x" + content])
def test_a_broken_report_is_ignored(table: Table, damage: Callable[[bytes], bytes]) -> None:
    table.print()
    (path,) = (table.store.root / "index").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    table.check(drawn=1)
    table.check(drawn=0)


def test_a_report_of_another_version_is_ignored(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    table.print()
    monkeypatch.setattr(index_file, "_make_seal", lambda: "another version")
    table.check(drawn=1)


def test_a_deleted_index_is_made_again(table: Table) -> None:
    table.print()
    for path in (table.store.root / "index").iterdir():
        path.unlink()
    table.check(drawn=1)
    table.check(drawn=0)


def test_notes_are_printed_again(table: Table) -> None:
    first = table.print("--baseline", "paper")
    assert table.print("--baseline", "paper").err == first.err


def test_a_store_without_a_place_for_an_index_has_its_tables(table: Table) -> None:
    (table.store.root / "index").write_text("a file in its place")
    table.check(drawn=1)


def test_the_number_of_reports_is_bounded(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_index, "MAX_REPORTS", 2)
    for digits in range(4):
        table.print("--digits", str(digits))
    assert len(list((table.store.root / "index").iterdir())) == 2


def test_reports_of_other_programs_are_not_deleted(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_index, "MAX_REPORTS", 1)
    (table.store.root / "index").mkdir()
    (table.store.root / "index" / "report-of-mine").touch()
    table.print("--digits", "2")
    assert (table.store.root / "index" / "report-of-mine").exists()


def test_the_report_of_a_small_store_is_not_kept(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_index, "MIN_BYTES", 2**30)
    table.print()
    assert not (table.store.root / "index").exists()


def test_files_of_a_page_behind_links_count_and_a_loop_of_links_ends(tmp_path: Path) -> None:
    runs, away = tmp_path / "runs", tmp_path / "away"
    runs.mkdir()
    away.mkdir()
    (away / "history.jsonl").write_text("1")
    (runs / "linked").symlink_to(away)
    (away / "loop").symlink_to(runs)
    lines = report_index._identify_files(str(runs), file_identity.Identities())
    assert [line.partition(" ")[0] for line in lines] == [f"{runs}/linked/history.jsonl"]
