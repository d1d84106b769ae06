"""Export of results: one archive with runs, plans, tables and checksums that anybody with the same code can check.

The runs that have ended are gathered into a store of their own, of which the tables are drawn: what the archive lacks
cannot be in them. Equal results and equal code give an archive of equal bytes.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.paper_tables import NamedTable, is_table
from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState
from benchmark.exchange.archived_papers import write_papers
from benchmark.exchange.checksums import CHECKSUMS, format_checksums
from benchmark.exchange.merge_decision import find_problem
from benchmark.exchange.results_content import MANIFEST, README, RUNS, SUFFIX, TABLES
from benchmark.exchange.results_manifest import ResultsManifest, describe_package, make_manifest
from benchmark.exchange.results_readme import format_readme
from benchmark.planning.registry import list_variants
from benchmark.report.named_rows import make_plan
from benchmark.report.tables.table_files import DrawableTable, list_tables
from benchmark.store.archive import check_archive_name, list_result_files, write_entries
from benchmark.store.contract_record import find_contract, write_contract
from benchmark.store.imported_rows import find_imported_rows
from benchmark.store.named_plans import select_plans
from benchmark.store.staleness import find_changes
from benchmark.store.store import Store
from benchmark.store.stored_papers import load_store_table
from benchmark.utils.atomic_files import format_json


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        manifest: Manifest of the archive.
        files: Names of all files in the archive.
        unfinished: IDs of runs that have no record and were left out.
        locally_stale: IDs of runs that count as stale on this machine alone, because a file beside the package has
            changed; the tables do not say so, as other machines cannot know.
    """

    manifest: ResultsManifest
    files: tuple[str, ...]
    unfinished: tuple[str, ...]
    locally_stale: tuple[str, ...]


def export_results(store: Store, names: Sequence[str], out: Path) -> ExportResult:
    """Write the results that names stand for to an archive.

    Args:
        store: Store that holds them.
        names: Studies, tables of papers, methods or runs, see `named_rows.make_plan`.
        out: File to write, .zip.

    Raises:
        KeyError: A name stands for nothing.
        ValueError: No run has ended, a run or plan is broken, or the suffix is another one.
        OSError: The file cannot be written; nothing is left behind.
    """
    check_archive_name(out, suffixes=[SUFFIX])
    papers = [load_store_table(store, name) for name in dict.fromkeys(names) if is_table(name)]
    plans = [
        make_plan(store, [part], list_variants=_list_variants)
        for name in dict.fromkeys(names)
        for part in select_plans(store, name) or [name]
    ]
    imported = [row.ids.values() for table in papers for row in find_imported_rows(store, table)]
    ids = list(dict.fromkeys(run_id for some in (*(plan.ids for plan in plans), *imported) for run_id in some))
    records = {run_id: record for run_id in ids if (record := _read_record(store, run_id)) is not None}
    if not records:
        raise ValueError(f"none of the {len(ids)} runs has a record, so there is nothing to export")
    planned = [plan.study for plan in plans]
    studies = _name_tables(store, papers, planned)
    with tempfile.TemporaryDirectory(prefix="chimera-bench-export-") as folder:
        own = _gather(store, Path(folder), records, plans=[name for name in planned if name in store.list_plans()])
        write_papers(own, papers)
        tables = {table.name: table.draw().encode() for table in draw_again(own, studies)}
        manifest = make_manifest(records.values(), studies=studies, tables=list(tables), package=describe_package())
        files = {f"{RUNS}/{path.relative_to(folder).as_posix()}": path for path in own.root.rglob("*.*")}
        entries: dict[str, Path | bytes] = {name: path for name, path in files.items() if path.is_file()}
        entries |= {f"{TABLES}/{name}": content for name, content in tables.items()}
        entries |= {MANIFEST: format_json(manifest).encode(), README: format_readme(manifest).encode()}
        written = write_entries(out, entries | {CHECKSUMS: format_checksums(entries)})
    unfinished = tuple(run_id for run_id in ids if run_id not in records)
    stale = tuple(run_id for run_id, record in records.items() if _is_locally_stale(store, record))
    return ExportResult(manifest, tuple(written), unfinished, stale)


def _name_tables(store: Store, papers: Sequence[NamedTable], planned: Sequence[str]) -> list[str]:
    """Return the names that tables are drawn of: tables of papers, and studies and methods as they are called."""
    plans = store.list_plans()
    drawn = {plan for table in papers for plan in (*table.name.select_plans(plans), table.name.plan)}
    tables = dict.fromkeys(str(table.name) for table in papers)
    return [*tables, *(name for name in planned if name not in drawn)]


def draw_again(store: Store, studies: Sequence[str]) -> list[DrawableTable]:
    """Return the tables of an archive, to be drawn from a store that holds its runs and nothing else."""
    return list_tables(store, studies, list_variants=_list_variants)


def _list_variants(method: str) -> Sequence[str]:
    """Return the variants of a method in their order; none of a method file, which other machines lack."""
    return () if method.endswith(".py") else list_variants(method)


def _read_record(store: Store, run_id: str) -> RunRecord | None:
    """Return the record of a run that has ended; None for other runs.

    Raises:
        ValueError: The run is broken; the message says what to do.
    """
    run = store.run(run_id)
    snapshot = run.read_snapshot()
    is_open = snapshot.state in (RunState.MISSING, RunState.INTERRUPTED, RunState.RUNNING)
    problem = "" if is_open else find_problem(run, snapshot)
    if problem:
        raise ValueError(f"nothing was exported, as a run is broken: {problem}")
    return snapshot.record


def _gather(store: Store, folder: Path, records: Iterable[str], *, plans: Sequence[str]) -> Store:
    """Return a store of links to the files of some runs and plans, with the contract tests of their methods."""
    own = Store(folder)
    files = [path for run_id in records for path in list_result_files(store.run(run_id))]
    for path in [*files, *(store.root / "plans" / f"{name}.json" for name in plans)]:
        link = folder / path.relative_to(store.root)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.abspath(path))
    for run_id in records:
        digest = own.run(run_id).read_record().spec.source_digest
        contract = find_contract(store.root, digest) if re.fullmatch(r"[0-9a-f]+", digest) else None
        if contract is not None:
            write_contract(folder, [contract])
    return own


def _is_locally_stale(store: Store, record: RunRecord) -> bool:
    folder = store.run(record.spec.id)
    return find_changes(record, folder) != find_changes(record, folder, is_portable=True)
