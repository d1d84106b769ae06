"""Files that are written to a draft and renamed: a reader sees the old content or the new, never half of it.

File systems without hard links or without synchronization to disk are supported, at the loss of what these are for.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from benchmark.utils.drafts import make_draft_path
from benchmark.utils.frozen_model import OTHER_FORMAT, FrozenModel
from benchmark.utils.validation_errors import describe_first_error

UNSUPPORTED = {
    getattr(errno, name)
    for name in ("EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV", "EINVAL", "EBADF", "ENOLCK", "ENOTTY")
}
"""Error numbers by which file systems say that they have no hard links, locks or synchronization."""
UNWRITTEN_S = 5.0
"""Seconds that a process may take to write a file that it has just made."""

Value = TypeVar("Value", bound=FrozenModel)


class UnreadableError(ValueError):
    """A file exists and cannot be read; it may be intact. The message names it."""


@contextmanager
def open_draft(path: Path) -> Iterator[Path]:
    """Yield a draft next to `path`, with the same suffix; it replaces `path` if the block ends without an error.

    Raises:
        OSError: The draft cannot be written. It is removed, the old content is intact, and the message says so.
    """
    draft = make_draft_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        _flush(draft)
        os.replace(draft, path)
    except OSError as error:
        state = "its old content is intact" if os.path.exists(path) else "no part of it was left behind"
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot write {path}: {reason}; {state}") from error
    finally:
        with suppress(OSError):  # a read-only file system refuses to delete even what does not exist
            draft.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file, replacing any old content.

    Raises:
        OSError: The file cannot be written, see `open_draft`.
    """
    with open_draft(path) as draft:
        draft.write_text(text, encoding="utf-8")


def write_new(path: Path, text: str) -> None:
    """Write a file that does not exist yet: if several processes try at once, one of them succeeds.

    Raises:
        FileExistsError: The file exists already.
        OSError: The file cannot be written; nothing is left behind.
    """
    draft = make_draft_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        _flush(draft)
        _publish_new(draft, path)
    except FileExistsError as error:
        raise FileExistsError(error.errno, f"{path} exists already: another process wrote it") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot write {path}: {reason}; no part of it was left behind") from error
    finally:
        with suppress(OSError):  # a read-only file system refuses to delete even what does not exist
            draft.unlink()


def format_json(value: FrozenModel) -> str:
    """Return readable JSON of a value: two spaces, one field per line, a newline at the end."""
    return json.dumps(value.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_value(kind: type[Value], path: Path) -> Value:
    """Read a value that was written with `format_json`.

    Raises:
        UnreadableError: The file exists and cannot be read.
        ValueError: The file is missing, truncated, or holds something else; one line that names it.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing") from error
    except OSError as error:
        raise UnreadableError(describe_unreadable(path, error)) from error
    except ValidationError as error:
        if error.errors()[0]["type"] == OTHER_FORMAT:
            raise ValueError(f"{path} {error.errors()[0]['msg']}") from error
        problem = describe_first_error(error, kind)
        raise ValueError(f"{path} is broken ({problem}): restore it, or move it away") from error


def has_content(path: Path) -> bool:
    """Return whether a file exists and is not empty; an empty one is of a process that died making it.

    Raises:
        OSError: The folder of the file cannot be read.
    """
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def check_readable(path: Path) -> None:
    """Check that a file can be opened, without reading it.

    Raises:
        UnreadableError: The file exists and cannot be read.
        FileNotFoundError: There is no such file.
    """
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableError(describe_unreadable(path, error)) from error


def describe_unreadable(path: Path, error: OSError) -> str:
    """Return one line about a file that exists and cannot be read."""
    advice = ": ask its owner to make it readable" if error.errno in (errno.EACCES, errno.EPERM) else ""
    return f"{path} cannot be read ({error.strerror or error}){advice}"


def describe_error(error: OSError | ValueError) -> str:
    """Return the reason why a file could not be used, without the error number and without line breaks."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename is not None else error.strerror
    return " ".join(text.split())


def read_last_lines(path: Path, count: int) -> str:
    """Read the last lines of a text file, at most 64 kB; empty if there is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    return "\n".join(lines[-count:])


def _publish_new(draft: Path, path: Path) -> None:
    """Give a draft its name, unless a file of that name exists: in one step, or in two without hard links."""
    try:
        os.link(draft, path)  # not rename, which would replace the file of another process
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _claim(path)
        os.replace(draft, path)


def _claim(path: Path) -> None:
    """Make an empty file, which only one of several processes can; that of a process that has died is replaced."""
    with suppress(FileNotFoundError):
        status = path.stat()
        if status.st_size == 0 and abs(time.time() - status.st_mtime) > UNWRITTEN_S:
            path.unlink()
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def _flush(path: Path) -> None:
    """Make the system write the file to disk, so that a full disk is noticed before the rename."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)
