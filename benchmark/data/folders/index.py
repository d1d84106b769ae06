"""Index of facts about a dataset's files, cached between runs, so that every file is read once.

The cache has one entry per dataset folder (`benchmark.utils.array_cache`). A file is read again when its size or its
modification time has changed. Broken files are not cached: they are read every time.

Scanning uses threads. On two cores they are as fast as processes (590 images of VOC in 0.6 s; one thread takes 1.1 s),
because decoding and hashing release the interpreter lock, and threads need neither fork nor spawn.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.data.folders.dataset_spec import DatasetSpec
from benchmark.data.folders.discovery import ImageFiles
from benchmark.data.folders.mask_values import MaskValueTable
from benchmark.data.folders.scan import DatasetProblem, FileStamp, ImageFacts, read_stamp, scan_image
from benchmark.utils.array_cache import Arrays, load_arrays, save_arrays
from benchmark.utils.frozen_model import format_canonical_json

VERSION = 1
"""Version of the cached content and of the meaning of digests."""

OnProgress = Callable[[int, int], None]
"""Called with the numbers of images read and to be read, not counting images from the cache."""

ScanResult = ImageFacts | tuple[DatasetProblem, ...]
"""Facts about an image, or all its problems."""

_CHUNK = 32
_SAVE_EVERY_S = 60.0


@dataclass(frozen=True)
class ScanResults:
    """Results of scanning some images.

    Attributes:
        results: One result per image, in the requested order.
        num_cached: Number of images whose files were not opened.
        seconds: Duration of the scan.
    """

    results: tuple[ScanResult, ...]
    num_cached: int
    seconds: float

    @property
    def facts(self) -> tuple[ImageFacts, ...]:
        """Facts about the images that are intact, in order."""
        return tuple(result for result in self.results if isinstance(result, ImageFacts))

    @property
    def problems(self) -> tuple[DatasetProblem, ...]:
        """All problems, in order."""
        return tuple(problem for result in self.results if not isinstance(result, ImageFacts) for problem in result)


class ScanIndex:
    """Index of facts about the images below one folder.

    Args:
        spec: Description of the dataset; its mask encodings decide the meaning of mask values.
        root: Root folder of the dataset.
    """

    def __init__(self, spec: DatasetSpec, root: Path) -> None:
        self._root = root
        self._classes = len(spec.classes)
        self._tables = {name: MaskValueTable(encoding) for name, encoding in spec.mask_encodings.items()}
        encodings = {name: encoding.model_dump(mode="json") for name, encoding in spec.mask_encodings.items()}
        key = format_canonical_json({"version": VERSION, "root": str(root.resolve()), "ids": encodings})
        self._name = f"index/{spec.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        self._facts: dict[ImageFiles, ImageFacts] | None = None

    def scan(
        self,
        images: Sequence[ImageFiles],
        *,
        full: bool = False,
        on_progress: OnProgress = lambda done, total: None,
    ) -> ScanResults:
        """Return facts about images; only files that are new, changed or broken are read.

        Args:
            images: Files of the images.
            full: Whether to decode the pixels of images that were not decoded before.
            on_progress: Called regularly with the progress.
        """
        started = time.monotonic()
        if self._facts is None:
            self._facts = _unpack_facts(load_arrays(self._name), self._classes)
        known = self._facts
        results: dict[ImageFiles, ScanResult] = {
            files: known[files] for files in images if files in known and self._is_fresh(files, known[files], full)
        }
        new = [files for files in dict.fromkeys(images) if files not in results]
        results |= self._read(new, full=full, on_progress=on_progress)
        ordered = tuple(results[files] for files in images)
        return ScanResults(ordered, len(images) - len(new), time.monotonic() - started)

    def _is_fresh(self, files: ImageFiles, facts: ImageFacts, full: bool) -> bool:
        return facts.is_decoded >= full and facts.stamp == read_stamp(str(self._root), files)

    def _read(
        self, images: Sequence[ImageFiles], *, full: bool, on_progress: OnProgress
    ) -> dict[ImageFiles, ScanResult]:
        """Read images; save the facts regularly, at the end, and when interrupted."""
        results: dict[ImageFiles, ScanResult] = {}
        save_at = time.monotonic() + _SAVE_EVERY_S
        try:
            for chunk in self._read_in_parallel(images, full):
                results.update(chunk)
                on_progress(len(results), len(images))
                if time.monotonic() >= save_at:
                    self._save(results)
                    save_at = time.monotonic() + _SAVE_EVERY_S
        finally:
            self._save(results)
        return results

    def _read_in_parallel(
        self, images: Sequence[ImageFiles], full: bool
    ) -> Iterator[list[tuple[ImageFiles, ScanResult]]]:
        def read_chunk(chunk: Sequence[ImageFiles]) -> list[tuple[ImageFiles, ScanResult]]:
            return [(files, scan_image(self._root, files, self._tables[files.encoding], full=full)) for files in chunk]

        # more threads than processors, as files may be on a slow disk
        with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1)), thread_name_prefix="scan") as pool:
            yield from pool.map(read_chunk, [images[at : at + _CHUNK] for at in range(0, len(images), _CHUNK)])

    def _save(self, results: dict[ImageFiles, ScanResult]) -> None:
        known = self._facts if self._facts is not None else {}
        new = {
            files: facts
            for files, facts in results.items()
            if isinstance(facts, ImageFacts) and known.get(files) != facts
        }
        if new:
            known.update(new)
            save_arrays(self._name, _pack_facts(known, self._classes))


def _pack_facts(facts_of: dict[ImageFiles, ImageFacts], classes: int) -> Arrays:
    """Convert facts about N images to columns with N rows."""
    shown = np.zeros((len(facts_of), classes), dtype=bool)
    for row, facts in enumerate(facts_of.values()):
        shown[row, list(facts.classes)] = True
    digests = b"".join(facts.image_digest + facts.mask_digest for facts in facts_of.values())
    return {
        "paths": np.frombuffer("\n".join("\t".join(files) for files in facts_of).encode(), dtype=np.uint8),
        "stamps": np.array([facts.stamp for facts in facts_of.values()], dtype=np.int64).reshape(-1, 4),
        "digests": np.frombuffer(digests, dtype=np.uint8),
        "sizes": np.array([facts.size for facts in facts_of.values()], dtype=np.int64).reshape(-1, 2),
        "shown": np.packbits(shown, axis=1),
        "decoded": np.array([facts.is_decoded for facts in facts_of.values()], dtype=bool),
    }


def _unpack_facts(arrays: Arrays | None, classes: int) -> dict[ImageFiles, ImageFacts]:
    """Convert the columns of `_pack_facts` back to facts."""
    if arrays is None:
        return {}
    images = [ImageFiles(*line.split("\t")) for line in arrays["paths"].tobytes().decode().split("\n")]
    digests = arrays["digests"].reshape(-1, 64)  # (N, 32 + 32): image, mask
    columns = zip(
        images,
        map(FileStamp._make, arrays["stamps"].tolist()),
        (row.tobytes() for row in digests[:, :32]),
        (row.tobytes() for row in digests[:, 32:]),
        map(tuple, arrays["sizes"].tolist()),
        _iterate_set_columns(np.unpackbits(arrays["shown"], axis=1, count=classes)),
        arrays["decoded"].tolist(),
        strict=True,
    )
    return {files: ImageFacts(*fields) for files, *fields in columns}


def _iterate_set_columns(shown: NDArray[np.uint8]) -> Iterator[tuple[int, ...]]:
    """Yield, for each row of (N, K) flags, the columns that are set."""
    rows, columns = np.nonzero(shown)
    ends = np.searchsorted(rows, np.arange(len(shown)), side="right").tolist()
    flat = columns.tolist()
    return (tuple(flat[first:last]) for first, last in zip([0, *ends], ends, strict=False))
