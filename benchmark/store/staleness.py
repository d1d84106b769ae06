"""Staleness of a result: what its run used has changed since. Needs no torch and runs no method file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState
from benchmark.store.run_paths import ACCEPTANCE, RunPaths
from benchmark.utils.atomic_files import format_json, read_value, write_text
from benchmark.utils.external_sources import open_external_method
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.input_files import hash_file, is_packaged, locate_file
from benchmark.utils.installed_methods import digest_installed_method
from benchmark.utils.method_names import shorten_path
from benchmark.utils.paths import ROOT
from benchmark.utils.source_digests import digest_files

SHOWN_CHANGES = 3
"""Number of changes that a line names."""


class Acceptance(FrozenModel):
    """Proof that other code or inputs give the counts of a record, too: the repeated run gave identical ones.

    Attributes:
        counts_digest: Digest of the counts of both runs.
        code: Code of the repeated run, as in its record.
        inputs: Inputs of the repeated run, as in its record.
        commit: Git commit of the repeated run; empty outside a checkout.
        finished: Time of its end in UTC, ISO 8601.
        source_digest: Digest of the external method of the repeated run; empty for an included one.
    """

    counts_digest: str
    code: dict[str, str]
    inputs: dict[str, str]
    commit: str
    finished: str
    source_digest: str = ""


class Surroundings(NamedTuple):
    """Files outside of a store that staleness depends on.

    Attributes:
        methods: Digests of external methods by path or name; empty for those that are not there.
        inputs: Digests of inputs by name; empty for those that are not there.
    """

    methods: dict[str, str]
    inputs: dict[str, str]


@dataclass(frozen=True)
class UsedFiles:
    """Files that the result of a run depends on.

    Attributes:
        method: Registered name of the method.
        source: Path of an external method file where the run was planned; else empty.
        source_digest: Digest of an external method; empty for an included one.
        code: Digest of each file of the package, as in a record.
        inputs: SHA-256 of each weight, embedding and prompt file, as in a record.
    """

    method: str
    source: str
    source_digest: str
    code: Mapping[str, str]
    inputs: Mapping[str, str]


def describe_used_files(record: RunRecord) -> UsedFiles:
    """Return the files that the result of a run depends on."""
    spec = record.spec
    return UsedFiles(spec.method, spec.source, spec.source_digest, record.code, record.inputs)


_modules: dict[str, str] = {}
"""Digests of files of the package that were read in this process, by relative path."""
_methods: dict[str, str] = {}
"""Digests of external methods that were read in this process, by path or name."""
_inputs: dict[str, str] = {}
"""Digests of inputs that were read in this process, by name."""
_changed_tables: dict[int, tuple[Mapping[str, str], tuple[str, ...]]] = {}
"""Tables of code that were compared in this process, with their changes, by identity: records share tables."""


def digest_modules(names: Iterable[str]) -> Mapping[str, str]:
    """Return 16 hex digits for what each Python file of the package computes; empty if there is no such file.

    Args:
        names: Paths relative to the package.

    Returns:
        Digest by path, of these and maybe more files.
    """
    paths = {name: ROOT / name for name in names if name not in _modules}
    digests = digest_files(path for path in paths.values() if path.is_file())
    _modules.update({name: digests[path][:16] if path in digests else "" for name, path in paths.items()})
    return _modules


def digest_module(name: str) -> str:
    """Return 16 hex digits for what one Python file of the package computes, see `digest_modules`."""
    return digest_modules([name])[name]


def find_changes(record: RunRecord, folder: RunPaths | None = None, *, is_portable: bool = False) -> tuple[str, ...]:
    """Return what has changed of what a run used, in plain phrases; empty if its result is fresh.

    Files are read once per process. A weight or method file that is not where it was counts as unchanged.

    Args:
        record: Record of the run. A failure has no result that could be stale.
        folder: Folder of the run, in which an acceptance may say that the counts are the same nevertheless.
        is_portable: Whether only files of this package count, so that every machine with this version of the package
            gives the same answer.
    """
    if record.state is not RunState.DONE:
        return ()
    return find_changes_of(describe_used_files(record), record.counts_digest, folder, is_portable=is_portable)


def find_changes_of(
    used: UsedFiles, counts_digest: str | None, folder: RunPaths | None = None, *, is_portable: bool = False
) -> tuple[str, ...]:
    """Return what has changed of the files behind some counts, see `find_changes`."""
    changes = tuple(_list_all_changes(used, is_portable=is_portable))
    acceptance = _read_acceptance(folder) if changes and folder is not None else None
    if acceptance is None or acceptance.counts_digest != counts_digest:
        return changes
    accepted = replace(
        used,
        source_digest=acceptance.source_digest or used.source_digest,
        code=acceptance.code,
        inputs=acceptance.inputs,
    )
    return tuple(_list_all_changes(accepted, is_portable=is_portable))


def summarize_changes(changes: Sequence[str]) -> str:
    """Return changes as one line, the first of them by name."""
    shown = ", ".join(changes[:SHOWN_CHANGES])
    return shown if len(changes) <= SHOWN_CHANGES else f"{shown} and {len(changes) - SHOWN_CHANGES} more"


def find_input_differences(first: RunRecord, second: RunRecord) -> tuple[str, ...]:
    """Return the inputs that two runs read with different content, in plain phrases."""
    names = sorted(first.inputs.keys() & second.inputs.keys())
    return tuple(
        f"{name} is {first.inputs[name][:12]} and {second.inputs[name][:12]}"
        for name in names
        if first.inputs[name] != second.inputs[name]
    )


def accept(folder: RunPaths, original: RunRecord, repeated: RunRecord) -> Path:
    """Record in a run's folder that a repeated run gave identical counts, and return the path of the file.

    Raises:
        ValueError: The counts are not identical.
        OSError: The file cannot be written.
    """
    if original.counts_digest is None or repeated.counts_digest != original.counts_digest:
        raise ValueError(f"the repeated run of {original.spec.id} has other counts: nothing is accepted")
    acceptance = Acceptance(
        counts_digest=original.counts_digest,
        code=repeated.code,
        inputs=repeated.inputs,
        commit=repeated.environment.commit,
        finished=repeated.finished,
        source_digest=repeated.spec.source_digest,
    )
    write_text(folder.acceptance_path, format_json(acceptance))
    return folder.acceptance_path


def _list_all_changes(used: UsedFiles, *, is_portable: bool) -> Iterator[str]:
    if not is_portable:
        yield from _list_source_changes(used)
    yield from _list_code_changes(used.code)
    for name, digest in used.inputs.items():
        if (is_packaged(name) or not is_portable) and _digest_input(name) not in ("", digest):
            yield f"input {name} changed"


def _list_code_changes(code: Mapping[str, str]) -> tuple[str, ...]:
    """Return the changes of a table of code, once for all records that share it."""
    known = _changed_tables.get(id(code))
    if known is None:
        current = digest_modules(code)
        changes = [
            f"{name} changed" if current[name] else f"{name} is gone"
            for name, digest in code.items()
            if current[name] != digest
        ]
        # The entry keeps the table alive, so that its identity stays its own
        known = _changed_tables[id(code)] = (code, tuple(changes))
    return known[1]


def _list_source_changes(used: UsedFiles) -> Iterator[str]:
    """Yield whether an external method, or a module that it brings along, has changed where it was."""
    if not used.source_digest or _digest_method(used.source or used.method) in ("", used.source_digest):
        return
    file = f"method file {shorten_path(used.source)} or a module next to it"
    yield f"{file if used.source else f'package {used.method}'} changed"


def _read_acceptance(folder: RunPaths) -> Acceptance | None:
    """Read the acceptance of a run; None if there is no readable one."""
    if not os.path.exists(os.path.join(folder.path, ACCEPTANCE)):  # of thousands of stale runs, none may have one
        return None
    try:
        return read_value(Acceptance, folder.acceptance_path)
    except (ValueError, ValidationError):
        return None


def describe_surroundings() -> Surroundings:
    """Return what this process has looked at outside of the store to find changes."""
    return Surroundings(dict(_methods), dict(_inputs))


def are_unchanged(surroundings: Surroundings) -> bool:
    """Return whether another process would find the same outside of the store."""
    return all(_digest_method(name) == digest for name, digest in surroundings.methods.items()) and all(
        _digest_input(name) == digest for name, digest in surroundings.inputs.items()
    )


def _digest_method(source: str) -> str:
    """Return the digest of an external method, by path or name, as it is on this machine; empty if it is not there."""
    if source not in _methods:
        _methods[source] = _read_method(source)
    return _methods[source]


def _read_method(source: str) -> str:
    try:
        if not source.endswith(".py"):
            return digest_installed_method(source)
        return open_external_method(Path(source)).digest() if Path(source).is_file() else ""
    except OSError:
        return ""


def _digest_input(name: str) -> str:
    """Return the digest of an input as it is on this machine; empty if it is not there."""
    if name not in _inputs:
        _inputs[name] = _read_input(name)
    return _inputs[name]


def _read_input(name: str) -> str:
    path = locate_file(name)
    return hash_file(path) if path is not None else ""
