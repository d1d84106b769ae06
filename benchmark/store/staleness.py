"""Staleness of a result: what its run used has changed since. Needs no torch and runs no method file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.run_paths import RunPaths
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


_modules: dict[str, str] = {}
"""Digests of files of the package that were read in this process, by relative path."""
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
    spec = record.spec
    inputs = _select_inputs(record.inputs, is_portable=is_portable)
    sources = () if is_portable else tuple(_list_source_changes(spec, spec.source_digest))
    changes = (*sources, *_list_changes(record.code, inputs))
    acceptance = _read_acceptance(folder) if changes and folder is not None else None
    if acceptance is None or acceptance.counts_digest != record.counts_digest:
        return changes
    accepted = acceptance.source_digest or spec.source_digest
    inputs = _select_inputs(acceptance.inputs, is_portable=is_portable)
    sources = () if is_portable else tuple(_list_source_changes(spec, accepted))
    return (*sources, *_list_changes(acceptance.code, inputs))


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


def _select_inputs(inputs: Mapping[str, str], *, is_portable: bool) -> Mapping[str, str]:
    """Return the inputs that count: all, or those that are files of this package."""
    return {name: digest for name, digest in inputs.items() if not is_portable or is_packaged(name)}


def _list_changes(code: Mapping[str, str], inputs: Mapping[str, str]) -> Iterator[str]:
    yield from _list_code_changes(code)
    for name, digest in inputs.items():
        if _digest_input(name) not in ("", digest):
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


def _list_source_changes(spec: RunSpec, digest: str) -> Iterator[str]:
    """Yield whether an external method, or a module that it brings along, has changed where it was.

    Args:
        spec: Spec of the run.
        digest: Digest of the method that gave the counts; empty for an included one.
    """
    if not digest or _digest_method(spec.source or spec.method) in ("", digest):
        return
    file = f"method file {shorten_path(spec.source)} or a module next to it"
    yield f"{file if spec.source else f'package {spec.method}'} changed"


def _read_acceptance(folder: RunPaths) -> Acceptance | None:
    """Read the acceptance of a run; None if there is no readable one."""
    try:
        return read_value(Acceptance, folder.acceptance_path)
    except (ValueError, ValidationError):
        return None


@cache
def _digest_method(source: str) -> str:
    """Return the digest of an external method, by path or name, as it is on this machine; empty if it is not there."""
    try:
        if not source.endswith(".py"):
            return digest_installed_method(source)
        return open_external_method(Path(source)).digest() if Path(source).is_file() else ""
    except OSError:
        return ""


@cache
def _digest_input(name: str) -> str:
    """Return the digest of an input as it is on this machine; empty if it is not there."""
    path = locate_file(name)
    return hash_file(path) if path is not None else ""
