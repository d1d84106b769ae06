"""Archives of runs: one file with records, counts, specs, losses and plans, whose bytes depend on nothing else.

All entries of an archive of runs lie in one folder, named like the file, which is a store: `--runs FOLDER` reads it
after unpacking. `benchmark.exchange.export_results` writes archives of results, with tables and checksums, by the same
function.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.atomic_files import open_draft

SUFFIXES = (".tar.gz", ".tgz", ".zip")
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Oldest time that a zip file can hold."""
COMPRESSION_LEVEL = 6


class _Writer(Protocol):
    def add(self, source: Path | bytes, name: str) -> None:
        """Add a file, or its content, under a name."""


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
        ValueError: The suffix is unknown.
        OSError: The file cannot be written; nothing is left behind.
    """
    check_archive_name(out, suffixes=SUFFIXES)
    folder = next(out.name.removesuffix(suffix) for suffix in SUFFIXES if out.name.endswith(suffix))
    files = [path for run_id in ids for path in list_result_files(store.run(run_id))]
    files += [path for run_id in ids if with_checkpoints and (path := store.run(run_id).checkpoint_path).is_file()]
    files += [store.root / "plans" / f"{name}.json" for name in plans]
    return write_entries(out, {f"{folder}/{path.relative_to(store.root).as_posix()}": path for path in files})


def check_archive_name(out: Path, *, suffixes: Sequence[str]) -> None:
    """Check the name of an archive that is to be written.

    Raises:
        ValueError: The suffix is unknown.
    """
    if not out.name.endswith(tuple(suffixes)):
        raise ValueError(f"{out} is not the name of an archive: it must end in {', '.join(suffixes)}")


def list_result_files(run: RunFolder) -> list[Path]:
    """Return the files that the result of a run consists of, without the checkpoint."""
    wanted = [run.spec_path, run.record_path, run.counts_path, run.acceptance_path]
    return [path for path in (*wanted, run.predictions_path, run.history_path) if path.is_file()]


def write_entries(out: Path, entries: Mapping[str, Path | bytes]) -> list[str]:
    """Write an archive of files, sorted by name and without times and owners; return the names.

    Args:
        out: File to write: .tar.gz, .tgz or .zip.
        entries: Files, or their contents, by their names in the archive.

    Raises:
        OSError: The file cannot be written; nothing is left behind.
    """
    with open_draft(out) as draft, _open_writer(draft) as writer:
        for name in sorted(entries):
            writer.add(entries[name], name)
    return sorted(entries)


def make_zip_entry(name: str) -> zipfile.ZipInfo:
    """Return the entry of a file in a zip archive, without time and owner."""
    entry = zipfile.ZipInfo(name, ZIP_EPOCH)
    entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
    return entry


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

    def add(self, source: Path | bytes, name: str) -> None:
        entry = make_zip_entry(name)
        entry.file_size = _measure(source)  # tells zipfile whether the entry needs 64 bits
        with _open_source(source) as file, self._archive.open(entry, "w") as target:
            while chunk := file.read(1 << 20):
                target.write(chunk)


class _TarWriter:
    """Writer of entries without times and owners."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def add(self, source: Path | bytes, name: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = _measure(source), 0o644
        with _open_source(source) as file:
            self._archive.addfile(entry, file)


def _measure(source: Path | bytes) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def _open_source(source: Path | bytes) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
