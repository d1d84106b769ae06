"""Archives of results for `export` and `import`: records, counts, plans and tables in one verified file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli.console import format_command, format_count, print_json, print_line, print_note
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.exchange.import_results import ResultsCheck
    from benchmark.store.store import Store


def export_archive(store: Store, names: Sequence[str], out: Path) -> None:
    """Write an archive of results, and print what is in it and what is not."""
    from benchmark.exchange.export_results import export_results
    from benchmark.store.disk_usage import format_size, measure_size
    from benchmark.utils.input_files import hash_file

    result = export_results(store, names, out)
    manifest = result.manifest
    if result.unfinished:
        print_note(f"{format_count(len(result.unfinished), 'run')} without a record left out; the tables say so")
    if result.locally_stale:
        print_note(
            f"{format_count(len(result.locally_stale), 'run')} stale on this machine, because a method or weight file "
            f"has changed since; other machines cannot know, so the tables in the archive do not say so"
        )
    contents = f"{format_count(manifest.num_runs, 'run')}, {format_count(len(manifest.tables), 'table')}"
    print_line(f"{contents}, {format_count(len(result.files), 'file')} in {out}, {format_size(measure_size(out))}")
    print_line(f"SHA-256 {hash_file(out)}")
    print_note(f"to check it: chimera-bench import {out} --check")


def import_archive(store: Store, archive: Path, *, only_check: bool, as_json: bool) -> ExitCode:
    """Take in an archive of results, or only check it; print the result and return the exit code."""
    from benchmark.cli.merge_output import describe_merge, print_merge
    from benchmark.exchange.import_results import check_results, import_results, read_archived_names

    if only_check:
        check = check_results(archive)
        _print_check(check, archive, as_json=as_json)
        return check.exit_code
    result = import_results(archive, store)
    if as_json:
        print_json(describe_merge(result))
        return result.exit_code
    print_line("all checksums are right")
    print_merge(result, is_dry=False)
    apart = [plan.plan.study for plan in result.plans if plan.plan is not None and plan.plan.study != plan.name]
    for name in (*read_archived_names(archive), *apart):
        print_note(f"draw its table: {format_command(store, 'table', name)}")
    return result.exit_code


def _print_check(check: ResultsCheck, archive: Path, *, as_json: bool) -> None:
    identical = sum(table.is_identical for table in check.tables)
    if as_json:
        tables = [
            {"name": table.name, "identical": table.is_identical, "difference": table.difference}
            for table in check.tables
        ]
        runs, studies = check.manifest.num_runs, list(check.manifest.studies)
        print_json({"runs": runs, "studies": studies, "same_code": check.is_same_code, "tables": tables})
        return
    print_line(f"{archive}: all checksums are right, {format_count(check.manifest.num_runs, 'run')}")
    for table in check.tables:
        print_line(f"  {table.name}: " + ("identical" if table.is_identical else f"different ({table.difference})"))
    print_line(f"{identical} of {format_count(len(check.tables), 'table')} drawn here are identical")
    if not check.is_same_code:
        print_note(
            f"the tables in the archive were drawn by other code (chimera-bench {check.manifest.package.version}), so "
            f"notes on stale results may differ"
        )
