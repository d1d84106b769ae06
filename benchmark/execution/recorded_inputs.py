"""Files that a finished run read, and why they cannot be read again as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.core.run_record import RunRecord
from benchmark.utils.input_files import hash_file, locate_file
from benchmark.utils.paths import ROOT, expand_path


def list_input_problems(record: RunRecord) -> list[str]:
    """Return a line for each file that is not what a run read, or that is not found from the current folder.

    Args:
        record: Record of the run.

    Raises:
        OSError: A file cannot be read.
    """
    return [*_list_changed(record), *_list_unreachable(record)]


def _list_changed(record: RunRecord) -> Iterator[str]:
    for name, digest in record.inputs.items():
        path = locate_file(name)
        current = hash_file(path) if path is not None else digest
        if current != digest:
            yield f"input {name} has other content now: {digest[:12]} when it was read, {current[:12]} now"


def _list_unreachable(record: RunRecord) -> Iterator[str]:
    """Yield the relative paths of the config that lead to no file from the current folder."""
    read = [ROOT / expand_path(name) for name in record.inputs if ":" not in name]
    for text in dict.fromkeys(_list_texts(record.spec.config)):
        relative = Path(text)
        if not text or relative.is_absolute() or relative.exists():
            continue
        for path in read:
            if path.parts[-len(relative.parts) :] == relative.parts:
                folder = path.parents[len(relative.parts) - 1]
                lost = "" if path.is_file() else f", after you copied {relative.name} there"
                yield f"its config names {text} relative to {folder}: start the command in that folder{lost}"


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _list_texts(item)
