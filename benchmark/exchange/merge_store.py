"""Merging of another store into ours, run by run.

A run is copied to a folder beside the runs, checked there, and renamed into place: whenever the process ends, every run
of our store is complete, and a second call does the rest. One merge at a time works on a store.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmark.exchange.archived_papers import PaperMerge, merge_papers, write_merged
from benchmark.exchange.merge_decision import Fate, MergeDecision, decide, find_problem
from benchmark.exchange.merge_plans import PlanMerge, merge_plans
from benchmark.exchange.store_archive import is_archive, unpack_archive
from benchmark.store.contract_record import FOLDER, read_contract, write_contract
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.lock import BusyError, hold_lock

STAGING, REPLACED = ".merge", "replaced"
NOT_COPIED = shutil.ignore_patterns("lock", ".draft-*")


@dataclass(frozen=True)
class MergeResult:
    """Result of merging one store.

    Attributes:
        source: Store or archive as given.
        runs: Decisions, by id of the run.
        plans: What became of the plans.
        papers: What became of the papers of users' files.
    """

    source: Path
    runs: tuple[MergeDecision, ...]
    plans: tuple[PlanMerge, ...]
    papers: tuple[PaperMerge, ...] = ()

    def count(self, fate: Fate) -> int:
        """Return the number of runs with a fate."""
        return sum(decision.fate is fate for decision in self.runs)

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of a command that ends with this result."""
        actions = [*(plan.action for plan in self.plans), *(paper.action for paper in self.papers)]
        if self.count(Fate.DIFFERENT) or "different" in actions:
            return ExitCode.DIFFERENT
        is_broken = self.count(Fate.BROKEN) or "broken" in actions
        return ExitCode.FINISHED_WITH_FAILURES if is_broken else ExitCode.SUCCESS


def merge(
    source: Path, store: Store, *, is_dry: bool = False, unpack: Callable[[Path, Path], Path] = unpack_archive
) -> MergeResult:
    """Merge another store, or an archive of runs, into ours.

    Args:
        source: Folder of runs, or archive.
        store: Our store.
        is_dry: Whether to decide only and change nothing; an archive is still unpacked for a moment.
        unpack: Function that unpacks an archive into a folder and returns the folder in it that holds the runs; it
            raises before anything enters our store.

    Raises:
        BusyError: Another merge works on our store.
        FileNotFoundError: The source does not exist.
        ValueError: The source holds no runs, is our store itself, or is a broken or dangerous archive.
    """
    if not source.exists():
        raise FileNotFoundError(f"no folder or archive {source}: give the folder of another store's runs")
    with _open_scratch() if is_dry else _open_staging(store) as staging:
        is_packed = is_archive(source)
        other = Store(unpack(source, staging / "archive") if is_packed else _check_store(source, store))
        ids = other.list_ids()
        runs = tuple(_merge_run(store, other, run_id, staging=None if is_dry else staging) for run_id in ids)
        plans, papers = tuple(merge_plans(store, other)), tuple(merge_papers(store, other))
        if not is_dry:
            _write_plans(store, plans)
            write_merged(store, other, papers)
            _copy_contracts(store, other)
    return MergeResult(source, runs, plans, papers)


@contextmanager
def _open_scratch() -> Iterator[Path]:
    """Yield an empty folder outside of our store, which a dry run does not touch."""
    with tempfile.TemporaryDirectory(prefix="chimera-bench-merge-") as folder:
        yield Path(folder)


@contextmanager
def _open_staging(store: Store) -> Iterator[Path]:
    """Yield an empty folder beside the runs that no other process uses; it is removed in the end."""
    folder = store.root / STAGING
    if folder.is_symlink():
        raise ValueError(f"{folder} is a link, and what it leads to would be deleted: remove the link")
    is_new = not store.root.exists()
    try:
        with hold_lock(folder):
            _clear(folder)
            try:
                yield folder
            finally:
                _clear(folder)
    finally:
        with suppress(OSError):  # not empty, or in use by another merge
            folder.rmdir()
            if is_new:
                store.root.rmdir()


def _clear(folder: Path) -> None:
    """Remove what a killed merge has left."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def _check_store(source: Path, store: Store) -> Path:
    if not source.is_dir():
        raise ValueError(f"{source} is neither a folder of runs nor an archive (tar, tar.gz, zip)")
    if source.resolve() == store.root.resolve():
        raise ValueError(f"{source} is the store itself: give another one, or another --runs")
    other = Store(source)
    if not other.list_ids() and not other.list_plans():
        inner = source / "runs"
        hint = f": did you mean {inner}?" if Store(inner).list_ids() else ": give the folder that has their folders"
        raise ValueError(f"{source} holds no runs{hint}")
    return source


def _merge_run(store: Store, other: Store, run_id: str, *, staging: Path | None) -> MergeDecision:
    """Decide on a run and, with a folder for staging, carry the decision out."""
    ours, theirs = store.run(run_id), other.run(run_id)
    decision = decide(ours, theirs)
    if staging is None or not decision.is_copied:
        return decision
    try:
        staged = _stage(theirs, staging)
    except (OSError, ValueError) as error:
        return MergeDecision(run_id, Fate.BROKEN, f"could not be copied: {error}")
    try:
        _put_in_place(staged, ours, store.root)
    except BusyError as error:
        return MergeDecision(run_id, Fate.RUNNING, str(error))
    return decision


def _stage(run: RunFolder, staging: Path) -> RunFolder:
    """Copy a run, or move it if it was unpacked into this folder, and check it.

    Raises:
        ValueError: The copy is not what a run must be.
    """
    staged = RunFolder(staging / run.id)
    if run.path.is_relative_to(staging):  # no second copy, for which a disk may have no room
        os.rename(run.path, staged.path)
        for path in [*staged.path.rglob("lock"), *staged.path.rglob(".draft-*")]:
            path.unlink()
    else:
        shutil.copytree(run.path, staged.path, ignore=NOT_COPIED)
    problem = find_problem(staged, staged.read_snapshot())
    if problem:
        raise ValueError(problem)
    return staged


def _put_in_place(staged: RunFolder, ours: RunFolder, root: Path) -> None:
    """Rename a checked copy into place; what is there already moves to a folder of its own."""
    if not ours.path.exists():
        os.rename(staged.path, ours.path)
        return
    with hold_lock(ours.path):
        aside = _choose_aside(root / REPLACED, ours.id)
        os.rename(ours.path, aside)
        (aside / "lock").unlink(missing_ok=True)
        os.rename(staged.path, ours.path)


def _choose_aside(folder: Path, run_id: str) -> Path:
    folder.mkdir(exist_ok=True)
    return next(path for number in count(1) if not os.path.lexists(path := folder / f"{run_id}.{number}"))


def _write_plans(store: Store, plans: Sequence[PlanMerge]) -> None:
    for merged in plans:
        if merged.plan is not None:
            store.write_plan(merged.plan)


def _copy_contracts(store: Store, other: Store) -> None:
    """Take in the results of contract tests that our store lacks; files that cannot be read are left out."""
    for path in sorted((other.root / FOLDER).glob("*.json")):
        theirs = read_contract(other.root, path.stem)
        if theirs is not None and theirs.source_digest == path.stem:
            write_contract(store.root, [ours, theirs] if (ours := read_contract(store.root, path.stem)) else [theirs])
