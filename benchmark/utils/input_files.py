"""Files that a run reads besides its data set: weights, embeddings, prompts. Their digests stand in the run's record.

Code that reads such a file says so with `record_input`, wherever it is called; outside of a run this does nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from benchmark.utils.atomic_files import write_text
from benchmark.utils.paths import ROOT, expand_path, find_cache_folder, find_home

FOLDER_VARIABLES = ("CHIMERA_BENCH_WEIGHTS", "HF_HUB_CACHE", "HF_HOME", "TORCH_HOME", "FVCORE_CACHE")
"""Environment variables that name folders of weights: files below them are named by the variable."""
SLOW_BYTES = 16 * 2**20
"""Size from which on the digest of a file is kept between processes."""

_inputs: ContextVar[dict[str, str] | None] = ContextVar("inputs", default=None)


@contextmanager
def collect_inputs() -> Iterator[dict[str, str]]:
    """Yield a dict that receives the SHA-256 of every file read within the context, by its portable name."""
    inputs: dict[str, str] = {}
    token = _inputs.set(inputs)
    try:
        yield inputs
    finally:
        _inputs.reset(token)


def is_collecting() -> bool:
    """Return whether inputs are collected, so that digests which take time can be left out otherwise."""
    return _inputs.get() is not None


def record_input(path: Path | str) -> None:
    """Record that a file was read.

    Raises:
        OSError: The file cannot be read.
    """
    inputs = _inputs.get()
    if inputs is not None:
        inputs[name_file(Path(path))] = hash_file(Path(path))


def record_digest(name: str, sha256: str) -> None:
    """Record an input that is no file, such as downloaded tensors.

    Args:
        name: Name of the input, with a colon, which the name of a file never has: "imagenet: resnet50".
        sha256: Digest in hex.
    """
    inputs = _inputs.get()
    if inputs is not None:
        inputs[name] = sha256


def name_file(path: Path) -> str:
    """Return a name of a file that other machines understand.

    The name is a path relative to the package, or one that begins with the variable of its folder or with "~"; else the
    absolute path.
    """
    path = path.expanduser().absolute()
    folders = {f"${name}": Path(os.environ[name]).expanduser() for name in FOLDER_VARIABLES if os.environ.get(name)}
    home = find_home()
    for prefix, folder in {"": ROOT, **folders, **({"~": home} if home else {})}.items():
        if folder.is_absolute() and path.is_relative_to(folder):
            return (Path(prefix) / path.relative_to(folder)).as_posix()
    return path.as_posix()


def is_packaged(name: str) -> bool:
    """Return whether the name of an input is that of a file of this package, see `name_file`."""
    return ":" not in name and not name.startswith(("/", "$", "~"))


def locate_file(name: str) -> Path | None:
    """Return the file of a name on this machine; None if there is none, or if the name is not that of a file."""
    if ":" in name:
        return None
    path = ROOT / expand_path(name)
    return path if path.is_file() else None


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex; a file is read again only if its size or time changes.

    Raises:
        OSError: The file cannot be read.
    """
    path = path.expanduser().absolute()
    stat = path.stat()
    return _hash_unchanged_file(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_unchanged_file(path: Path, size: int, time_ns: int) -> str:
    if size < SLOW_BYTES:
        return _hash(path)
    key = hashlib.sha256(f"{path}\0{size}\0{time_ns}".encode()).hexdigest()
    note = find_cache_folder() / "file_digests" / key
    try:
        return _read_digest(note)
    except (OSError, ValueError):
        digest = _hash(path)
    with suppress(OSError):  # without a writable cache, the file is read again next time
        write_text(note, digest)
    return digest


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_digest(note: Path) -> str:
    digest = note.read_text(encoding="ascii")
    if len(digest) != 64:
        raise ValueError(f"{note} is no digest")
    return digest
