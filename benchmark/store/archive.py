"""Archives of runs: one file with records, counts, specs, losses and plans, whose bytes depend on nothing else.

All entries lie in one folder, named like the file, which is a store: `--runs FOLDER` reads it after unpacking.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.atomic_files import open_draft

SUFFIXES = (".tar.gz", ".tgz", ".zip")
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Oldest time that a zip file can hold."""
COMPRESSION_LEVEL = 6


class _Writer(Protocol):
    def add(self, path: Path, name: str) -> None:
        """Add a file under a name."""


def write_archive(
    store: Store, ids: Sequence[str], out: Path, *, plans: Sequence[str] = (), with_checkpoints: bool = False
) -> list[str]:
    """Write runs and plans to an archive and return the names of its entries.

    Args:
        store: Store that holds them.
        ids: IDs of runs that have ended; of a run, only files that its result consists of are added.
        out: File to write: .tar.gz, .tgz or .zip.
        plans: Names of plans.
        with_checkpoints: Whether checkpoints are added.

    Raises:
        FileExistsError: The file exists.
        ValueError: The suffix is unknown.
        OSError: The file cannot be written; nothing is left behind.
    """
    if not out.name.endswith(SUFFIXES):
        raise ValueError(f"{out} is not the name of an archive: it must end in {', '.join(SUFFIXES)}")
    if out.exists():
        raise FileExistsError(17, "archive exists already, give another name", str(out))
    folder = next(out.name.removesuffix(suffix) for suffix in SUFFIXES if out.name.endswith(suffix))
    files = [path for run_id in ids for path in _list_files(store.run(run_id), with_checkpoints=with_checkpoints)]
    files += [store.root / "plans" / f"{name}.json" for name in plans]
    entries = sorted((f"{folder}/{path.relative_to(store.root).as_posix()}", path) for path in files)
    with open_draft(out) as draft, _open_writer(draft) as writer:
        for name, path in entries:
            writer.add(path, name)
    return [name for name, _ in entries]


def _list_files(run: RunFolder, *, with_checkpoints: bool) -> Iterator[Path]:
    wanted = [run.spec_path, run.record_path, run.counts_path, run.acceptance_path]
    wanted += [run.predictions_path, run.history_path] + [run.checkpoint_path] * with_checkpoints
    yield from (path for path in wanted if path.is_file())


@contextmanager
def _open_writer(path: Path) -> Iterator[_Writer]:
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive:
            yield _ZipWriter(archive)
        return
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", COMPRESSION_LEVEL, file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        yield _TarWriter(archive)


class _ZipWriter:
    """Writer of entries without times and owners."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, path: Path, name: str) -> None:
        entry = zipfile.ZipInfo(name, ZIP_EPOCH)
        entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
        entry.file_size = path.stat().st_size  # tells zipfile whether the entry needs 64 bits
        with path.open("rb") as source, self._archive.open(entry, "w") as target:
            while chunk := source.read(1 << 20):
                target.write(chunk)


class _TarWriter:
    """Writer of entries without times and owners."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def add(self, path: Path, name: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = path.stat().st_size, 0o644
        with path.open("rb") as source:
            self._archive.addfile(entry, source)
