"""Files are written to a draft and renamed: a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from benchmark.utils.frozen_model import FrozenModel

Value = TypeVar("Value", bound=FrozenModel)


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A draft beside `path`, with the same ending; it takes the place of `path` when the block ends well.

    Raises:
        OSError: the draft cannot be written; it is removed, the old content is intact, and the message says so.
    """
    draft = path.with_name(f".draft-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        _flush(draft)
        os.replace(draft, path)
    except OSError as error:
        kept = "its old content is intact" if path.exists() else "nothing was left behind"
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot write {path}: {reason}; {kept}") from error
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Put `text` in the place of whatever `path` held. Raises OSError like `draft_of`."""
    with draft_of(path) as draft:
        draft.write_text(text, encoding="utf-8")


def write_new(path: Path, text: str) -> None:
    """Write a file that nobody else has written: of several processes at once, one succeeds.

    Raises:
        FileExistsError: there is one.
        OSError: it cannot be written; nothing is left behind.
    """
    draft = path.with_name(f".draft-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        _flush(draft)
        os.link(draft, path)  # ours and not rename, which would take the place of another's
    except FileExistsError as error:
        raise FileExistsError(error.errno, f"{path} exists already: another process wrote it") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot write {path}: {reason}; nothing was left behind") from error
    finally:
        draft.unlink(missing_ok=True)


def written(value: FrozenModel) -> str:
    """JSON for people and for `git diff`: two spaces, one field a line, a newline at the end."""
    return json.dumps(value.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_value(kind: type[Value], path: Path) -> Value:
    """Read what `written` wrote.

    Raises:
        ValueError: the file is missing, cut short, or holds something else; one line that names it.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing") from error
    except ValidationError as error:
        raise ValueError(f"{path} is broken ({first_complaint(error)}): restore it, or move it away") from error


def first_complaint(error: ValidationError) -> str:
    """The first thing that is wrong with a value, in one line."""
    first = error.errors(include_url=False)[0]
    where, given = ".".join(map(str, first["loc"])), first["input"]
    message = " ".join(first["msg"].split())
    if where and not isinstance(given, dict | list):
        message += f", given {given!r}"
    return f"{where}: {message}" if where else message


def last_lines(path: Path, count: int) -> str:
    """The end of a text file, of at most 64 kB; empty where there is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    return "\n".join(lines[-count:])


def _flush(path: Path) -> None:
    """Have the system write the file out, so that a full disk is noticed before the rename."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
