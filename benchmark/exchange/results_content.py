"""Content of an archive of results: where its files lie, and the checks before any of them enters a store.

MANIFEST.json   see `results_manifest`
README.md       how to take the archive in
SHA256SUMS      checksums of all other files
tables/         tables of the studies
runs/           the runs and plans, and papers of users' files: a store
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from benchmark.exchange.archived_papers import check_papers
from benchmark.exchange.checksums import CHECKSUMS, verify_checksums
from benchmark.exchange.merge_decision import find_problem
from benchmark.exchange.results_container import check_container
from benchmark.exchange.results_manifest import ResultsManifest
from benchmark.exchange.store_archive import ArchiveLimits, unpack_files
from benchmark.store.disk_usage import format_size
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.store.stored_papers import PAPERS_FOLDER, SPLITS_FOLDER
from benchmark.utils.atomic_files import read_value

MANIFEST, README, TABLES, RUNS = "MANIFEST.json", "README.md", "tables", "runs"
SUFFIX = ".zip"
RESULT_LIMITS = ArchiveLimits(member=256 * 10**6, total=16 * 10**9, members=10**6, expansion=200)
"""Limits of archives of results, which have no checkpoints."""
MAX_COUNTS = 10**9
"""Most bytes of the arrays in a file of counts."""
_KNOWN = re.compile(
    rf"{MANIFEST}|{README}|{CHECKSUMS}|{TABLES}/.+\.(txt|md|tex|html|csv|json)|{RUNS}/plans/[^/]+\.json|"
    rf"{RUNS}/contract/[0-9a-f]+\.json|{RUNS}/{PAPERS_FOLDER}/({SPLITS_FOLDER}/)?[^/]+\.ya?ml|"
    rf"{RUNS}/[^/]+-s\d+-[0-9a-f]{{16}}/(spec\.json|record\.json|counts\.npz|accepted\.json|predictions\.json|history\.jsonl)"
)
"""Names of files that belong into an archive of results: none of them is ever executed or unpickled."""


def is_results_archive(path: Path) -> bool:
    """Return whether a path is that of an archive, whole or not, rather than of label maps."""
    return path.suffix.lower() == SUFFIX or (path.is_file() and zipfile.is_zipfile(path))


def unpack_results(path: Path, folder: Path) -> Path:
    """Unpack an archive of results, check all of it, and return the folder in it that holds the runs.

    Args:
        path: Archive.
        folder: Folder to unpack into; it does not exist yet.

    Raises:
        FileNotFoundError: There is no such archive.
        ValueError: The archive is broken, too large, has wrong checksums, or holds runs or files that do not belong
            into one; one line that says what.
        OSError: A file cannot be written.
    """
    check_archive(path)
    unpack_files(path, folder, limits=RESULT_LIMITS)
    verify_checksums(folder, path)
    check_container(path)
    try:
        _check_names(folder)
        _check_runs(Store(folder / RUNS), read_manifest(folder))
        check_papers(Store(folder / RUNS))
    except ValueError as error:
        reason = str(error).replace(f"{folder}/", "")
        raise ValueError(f"{path} is no sound archive of results: {reason}; nothing was merged") from error
    return folder / RUNS


def check_archive(path: Path) -> None:
    """Check that a file is an archive with the end of a whole one.

    Raises:
        FileNotFoundError: There is no such archive.
        ValueError: It is none.
    """
    if not path.exists():
        raise FileNotFoundError(f"no archive {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no zip archive, or was cut short: copy it again; nothing was merged")


def read_manifest(folder: Path) -> ResultsManifest:
    """Read the manifest of an unpacked archive.

    Raises:
        ValueError: The manifest is missing, broken, or of another version.
    """
    return read_value(ResultsManifest, folder / MANIFEST)


def _check_names(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _KNOWN.fullmatch(name):
            raise ValueError(f"it holds {name!r}, which is no part of results")


def _check_runs(store: Store, manifest: ResultsManifest) -> None:
    """Check that the runs are those of the manifest and that the files of each belong together."""
    ids = store.list_ids()
    if ids != sorted(manifest.runs) or len(ids) != manifest.num_runs:
        raise ValueError(f"it holds {len(ids)} runs, and its {MANIFEST} lists {manifest.num_runs} or others")
    for run_id in ids:
        run = store.run(run_id)
        _check_counts_size(run)
        snapshot = run.read_snapshot()
        problem = find_problem(run, snapshot)
        if not problem and snapshot.record is None:
            problem = f"{run_id} has no record"
        if problem:
            raise ValueError(problem)
    for name in store.list_plans():
        plan = store.read_plan(name)
        if plan.study != name:
            raise ValueError(f"the plan {name!r} is that of another study, {plan.study!r}")


def _check_counts_size(run: RunFolder) -> None:
    """Check how large the arrays of a run would be in memory, before they are read."""
    try:
        with zipfile.ZipFile(run.counts_path) as archive:
            size = sum(info.file_size for info in archive.infolist())
    except (FileNotFoundError, zipfile.BadZipFile):
        return  # told by `find_problem`
    if size > MAX_COUNTS:
        raise ValueError(f"{run.counts_path} expands to more than the limit of {format_size(MAX_COUNTS)}")
