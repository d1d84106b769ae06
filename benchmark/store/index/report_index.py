"""Index of reports: the text of a table over many runs, as it was drawn from the same files by the same code.

    ROOT/index/report-<digest>-<user>   one for each set of options; the `MAX_REPORTS` latest ones are kept

The files may be deleted at any time. A report counts only while everything that it was drawn from is the same: the
options, the plans, the record, counts, spec and acceptance of every run, the states of unfinished runs, the checks of
external methods, those methods, weights and split files outside of the package, and the package itself. A page, which
also shows losses, attempts and logs, is drawn from every file of the store. Identities of files are looked at before
the files are read, so that a change in the meantime makes the report one of the past.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.store.contract_record import list_contract_folders
from benchmark.store.index.file_identity import Identities
from benchmark.store.index.index_file import FOLDER, get_user_name, is_index_file, read_index_file, write_index_file
from benchmark.store.staleness import Surroundings, are_unchanged, describe_surroundings
from benchmark.store.store import Store

MIN_BYTES = 8 * 2**20
"""Size of the files of the runs from which on a report is kept: fewer are read in a second."""
MAX_BYTES = 8 * 2**20
"""Largest size of a report that is kept, compressed."""
MAX_REPORTS = 16
"""Number of reports of one store that are kept."""
VARIABLES = "CHIMERA_BENCH_"
_FILES = ("record.json", "counts.npz", "spec.json", "accepted.json")


@dataclass(frozen=True)
class Report:
    """What a command prints.

    Attributes:
        text: Text of the report.
        notes: Lines that are printed before it.
        closing_notes: Lines that are printed behind it.
        files: Files outside of the store and the package that were read, apart from methods and inputs of runs.
    """

    text: str
    notes: tuple[str, ...] = ()
    closing_notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sources:
    """What a report is drawn from.

    Attributes:
        plans: Names of plans.
        ids: Ids of runs.
        has_all_files: Whether the report is drawn from any file of the store, and not only from the results of runs.
    """

    plans: Sequence[str]
    ids: Sequence[str]
    has_all_files: bool = False


def draw_indexed(store: Store, options: Mapping[str, Any], *, sources: Sources, draw: Callable[[], Report]) -> Report:
    """Return a report from the index or, if that does not have it from the same files, draw and keep it.

    Args:
        store: Store of the runs.
        options: Everything that decides the report besides files, as JSON values.
        sources: What the report is drawn from.
        draw: Function that draws the report.
    """
    started_ns = time.time_ns()
    path = store.root / FOLDER / f"report-{_digest_options(store, options)[:32]}-{get_user_name()}"
    identities = Identities()
    identity = _identify_store(store, sources, identities)
    known = _read(path, identity)
    if known is not None:
        return known
    report = draw()
    if identities.size >= MIN_BYTES and identities.is_settled:
        outside = Identities()
        files = {file: outside.identify(file) for file in report.files}
        if outside.latest_ns < started_ns:
            _write(path, identity, files, report)
    return report


def _digest_options(store: Store, options: Mapping[str, Any]) -> str:
    variables = {name: text for name, text in sorted(os.environ.items()) if name.startswith(VARIABLES)}
    places = [str(store.root), os.getcwd(), list(store.options), variables]
    return hashlib.sha256(json.dumps([options, places], sort_keys=True).encode()).hexdigest()


def _identify_store(store: Store, sources: Sources, identities: Identities) -> str:
    """Return the digest of the identities of all files of a store that a report is drawn from."""
    lines = [f"{plan} {identities.identify(store.root / 'plans' / f'{plan}.json')}" for plan in sources.plans]
    lines += _identify_files(os.fspath(store.root), identities) if sources.has_all_files else []
    lines.append(" ".join(store.list_plans()))
    for folder in list_contract_folders(store.root):
        with suppress(OSError):
            lines += [f"{entry.path} {identities.identify(entry)}" for entry in os.scandir(folder)]
    root = os.fspath(store.root)
    for run_id in sources.ids:
        record, *others = (identities.identify(f"{root}/{run_id}/{name}") for name in _FILES)
        lines.append(f"{run_id} {record} {' '.join(other or '-' for other in others)}")
        if not record:
            snapshot = store.run(run_id).read_snapshot()
            lines.append(f"{snapshot.state} {snapshot.problem}")
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _identify_files(root: str, identities: Identities) -> list[str]:
    """Return the identity of every file below a folder but those of the index; links are followed, each folder once."""
    lines, known = [], set()
    for folder, names, files in os.walk(root, followlinks=True):
        place = os.path.realpath(folder)
        names[:] = sorted(name for name in names if place not in known and (folder != root or name != FOLDER))
        known.add(place)
        lines += [f"{folder}/{name} {identities.identify(f'{folder}/{name}')}" for name in sorted(files)]
    return lines


def _read(path: Path, identity: str) -> Report | None:
    """Read a report; None if there is none that was drawn from the same files."""
    text = read_index_file(path)
    if text is None:
        return None
    content = json.loads(text)
    surroundings = Surroundings(**content["surroundings"])
    outside = Identities()
    is_same = content["identity"] == identity and all(
        outside.identify(file) == known for file, known in content["files"].items()
    )
    if not is_same or not are_unchanged(surroundings):
        return None
    return Report(content["text"], tuple(content["notes"]), tuple(content["closing_notes"]), tuple(content["files"]))


def _write(path: Path, identity: str, files: Mapping[str, str], report: Report) -> None:
    content = {
        "identity": identity,
        "files": files,
        "surroundings": describe_surroundings()._asdict(),
        "text": report.text,
        "notes": report.notes,
        "closing_notes": report.closing_notes,
    }
    write_index_file(path, json.dumps(content), max_bytes=MAX_BYTES)
    with suppress(OSError):
        own = filter(is_index_file, path.parent.glob("report-*"))
        reports = sorted(own, key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for file in reports[MAX_REPORTS:]:
            file.unlink()
