"""Import of an archive of results: verified as a whole, then merged, or only checked by drawing its tables again."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.exchange.export_results import draw_again
from benchmark.exchange.merge_store import MergeResult, merge
from benchmark.exchange.results_content import MANIFEST, RUNS, TABLES, check_archive, read_manifest, unpack_results
from benchmark.exchange.results_manifest import ResultsManifest, describe_package
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode

SHOWN = 60
"""Characters of a line that a difference shows."""


@dataclass(frozen=True)
class RedrawnTable:
    """Comparison of a table in an archive with the same table drawn again.

    Attributes:
        name: File of the table.
        is_identical: Whether both have the same bytes.
        difference: Explanation in one line; empty if they are identical.
    """

    name: str
    is_identical: bool
    difference: str = ""


@dataclass(frozen=True)
class ResultsCheck:
    """Result of checking an archive whose checksums are right.

    Attributes:
        manifest: Manifest of the archive.
        tables: Comparisons, by name of the table.
        is_same_code: Whether this installation has the code that drew the tables in the archive.
    """

    manifest: ResultsManifest
    tables: tuple[RedrawnTable, ...]
    is_same_code: bool

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of a command that ends with this result."""
        return ExitCode.SUCCESS if all(table.is_identical for table in self.tables) else ExitCode.DIFFERENT


def import_results(archive: Path, store: Store) -> MergeResult:
    """Merge the runs and plans of an archive of results into a store.

    Args:
        archive: Archive as `export_results` writes it.
        store: Store that takes them in; nothing enters it before the whole archive has been verified.

    Raises:
        BusyError: Another merge works on the store.
        FileNotFoundError: There is no such archive.
        ValueError: The archive is not what it must be, see `results_content.unpack_results`.
        OSError: A file cannot be written.
    """
    check_archive(archive)
    return merge(archive, store, unpack=unpack_results)


def read_archived_names(archive: Path) -> tuple[str, ...]:
    """Return the names that the tables of an archive are of; the archive was verified before."""
    with zipfile.ZipFile(archive) as file:
        return ResultsManifest.model_validate_json(file.read(MANIFEST)).studies


def check_results(archive: Path) -> ResultsCheck:
    """Verify an archive of results and compare its tables with those that its runs give here. No store is touched.

    Args:
        archive: Archive as `export_results` writes it.

    Raises:
        FileNotFoundError: There is no such archive.
        ValueError: The archive is not what it must be, see `results_content.unpack_results`.
    """
    with tempfile.TemporaryDirectory(prefix="chimera-bench-check-") as scratch:
        folder = Path(scratch) / "archive"
        unpack_results(archive, folder)
        manifest = read_manifest(folder)
        archived = {name: (folder / TABLES / name).read_bytes() for name in _list_archived(folder)}
        drawn = {table.name: table.draw().encode() for table in draw_again(Store(folder / RUNS), manifest.studies)}
        names: Sequence[str] = sorted({*archived, *drawn, *manifest.tables})
        tables = tuple(_compare(name, archived.get(name), drawn.get(name)) for name in names)
    return ResultsCheck(manifest, tables, is_same_code=manifest.package.code == describe_package().code)


def _list_archived(folder: Path) -> list[str]:
    tables = folder / TABLES
    return [path.relative_to(tables).as_posix() for path in tables.rglob("*") if path.is_file()]


def _compare(name: str, archived: bytes | None, drawn: bytes | None) -> RedrawnTable:
    if archived is None:
        return RedrawnTable(name, is_identical=False, difference="the archive lacks it")
    if drawn is None:
        return RedrawnTable(name, is_identical=False, difference="it is not drawn here")
    if archived == drawn:
        return RedrawnTable(name, is_identical=True)
    lines = [content.decode(errors="replace").split("\n") for content in (archived, drawn)]
    numbered = enumerate(zip(*_pad(*lines), strict=True), start=1)
    number, pair = next((number, pair) for number, pair in numbered if pair[0] != pair[1])
    there, here = (line.strip()[:SHOWN] for line in pair)
    return RedrawnTable(name, is_identical=False, difference=f"line {number}: {there!r} there, {here!r} here")


def _pad(first: list[str], second: list[str]) -> tuple[list[str], list[str]]:
    """Return both lists with empty lines up to the length of the longer one."""
    length = max(len(first), len(second)) + 1
    return first + [""] * (length - len(first)), second + ["(end)"] * (length - len(second))
