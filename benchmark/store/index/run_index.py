"""Index of finished runs: what `status` says of them, without reading their records.

    ROOT/index/runs-<user>   about 0.1 kB a run

The file may be deleted at any time. An entry holds the identities of the record and of the counts, see `file_identity`,
from before they were read; it counts only while both are the same. Runs in any other state than done have no entry.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeAlias

from benchmark.core.run_state import RunState
from benchmark.store.index.file_identity import Identities
from benchmark.store.index.index_file import FOLDER, get_user_name, read_index_file, write_index_file
from benchmark.store.run_snapshot import RecordSummary, RunSnapshot
from benchmark.store.staleness import UsedFiles, describe_used_files
from benchmark.store.store import Store

MIN_RUNS = 300
"""Number of finished runs from which on there is an index: fewer are read in no time."""

MAX_BYTES = 64 * 2**20
"""Largest size of the index."""

_Entry: TypeAlias = "tuple[str, int, str, int]"
"""Identities of record and counts, number of attempts, digest of the counts, place of the used files."""


@dataclass(frozen=True, eq=False)
class RunIndex:
    """Entries of one store; those that were added are written by `save`.

    Attributes:
        store: Store of the runs.
        used: Different tables of used files.
        entries: Entries by id.
        added: Ids of the entries that the file does not have yet.
        places: Places of the tables that were added, by the identity of what is in them.
    """

    store: Store
    used: list[UsedFiles] = field(default_factory=list)
    entries: dict[str, _Entry] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    places: dict[tuple[str, str, str, int, int], int] = field(default_factory=dict)

    def read_snapshot(self, run_id: str) -> RunSnapshot:
        """Return the state of a run from the index or, if that does not have the run as it is, from its files."""
        identities = Identities()
        identity = self._identify(run_id, identities)
        entry = self.entries.get(run_id)
        if entry is not None and entry[0] == identity:
            return RunSnapshot(RunState.DONE, summary=RecordSummary(entry[1], entry[2], self.used[entry[3]]))
        snapshot = self.store.run(run_id).read_snapshot()
        record = snapshot.record
        if record is None or record.counts_digest is None or snapshot.state is not RunState.DONE:
            return snapshot
        if identities.is_settled:
            place = self._place(describe_used_files(record))
            self.entries[run_id] = (identity, record.attempts, record.counts_digest, place)
            self.added.add(run_id)
        return snapshot

    def save(self) -> None:
        """Write the entries of the runs that still have a folder, if there are new ones and enough of them."""
        if not self.added or len(self.entries) < MIN_RUNS:
            return
        existing = set(self.store.list_ids())
        runs = {run_id: entry for run_id, entry in self.entries.items() if run_id in existing}
        tables: dict[str, int] = {}  # those of the file and of records may be equal, and some have no run any more
        texts = {place: _format(self.used[place]) for place in {entry[3] for entry in runs.values()}}
        content = {
            "runs": {
                run_id: (*entry[:3], tables.setdefault(texts[entry[3]], len(tables))) for run_id, entry in runs.items()
            },
            "used": list(tables),
        }
        write_index_file(_make_path(self.store), json.dumps(content, separators=(",", ":")), max_bytes=MAX_BYTES)

    def _identify(self, run_id: str, identities: Identities) -> str:
        folder = os.path.join(self.store.root, run_id)
        return identities.identify_all((f"{folder}/record.json", f"{folder}/counts.npz"))

    def _place(self, used: UsedFiles) -> int:
        """Return the place of a table of used files, which it gets if it has none; records share their tables."""
        key = (used.method, used.source, used.source_digest, id(used.code), id(used.inputs))
        if key not in self.places:
            self.places[key] = len(self.used)
            self.used.append(used)
        return self.places[key]


def open_run_index(store: Store) -> RunIndex:
    """Return the index of a store, which is empty if there is no file that can be used."""
    text = read_index_file(_make_path(store))
    if text is None:
        return RunIndex(store)
    content: Mapping[str, Any] = json.loads(text)
    return RunIndex(
        store,
        used=[UsedFiles(**json.loads(table)) for table in content["used"]],
        entries={run_id: tuple(entry) for run_id, entry in content["runs"].items()},
    )


def _make_path(store: Store) -> Path:
    return store.root / FOLDER / f"runs-{get_user_name()}"


def _format(used: UsedFiles) -> str:
    return json.dumps({field.name: getattr(used, field.name) for field in fields(used)})
