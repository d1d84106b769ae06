"""What was found out about the files of a data set, kept between runs, so that every file is read once.

One kept file a data set folder, see `benchmark.utils.array_cache`; a file of the data set is read again when its size or its time
of change differ. Broken files are not kept: they are looked at every time.

Scanning uses threads. Measured on two cores they are as fast as processes (590 images of VOC in 0.6 s, one thread
1.1 s) because decoding and hashing let go of the interpreter, and they need neither fork nor a start of their own.
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

from benchmark.data.folders.dataset_spec import DatasetInfo
from benchmark.data.folders.discovery import Pair
from benchmark.data.folders.mask_values import MaskTable
from benchmark.data.folders.scan import Facts, Problem, Stamp, scan, stamp_of
from benchmark.utils.array_cache import Arrays, keep_arrays, load_arrays
from benchmark.utils.frozen_model import canonical_json

VERSION = 1
"""Of what is kept and of what digests mean."""

Observe = Callable[[int, int], None]
"""Called with the images read and how many there are to read; those from the cache do not count."""

Finding = Facts | tuple[Problem, ...]
"""What is known of an image, or everything that is wrong with it."""

_CHUNK = 32
_KEEP_EVERY_S = 60.0


@dataclass(frozen=True)
class Findings:
    """On images, in the order they were asked for.

    Attributes:
        each: one an image.
        from_cache: of how many no file was opened.
        seconds: that it took.
    """

    each: tuple[Finding, ...]
    from_cache: int
    seconds: float

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong, in order."""
        return tuple(problem for one in self.each if not isinstance(one, Facts) for problem in one)


class Index:
    """Facts on the images below one folder.

    Args:
        info: of the data set; its tables decide what mask values mean.
        root: of the data set.
    """

    def __init__(self, info: DatasetInfo, root: Path) -> None:
        self._root = root
        self._classes = len(info.classes)
        self._tables = {name: MaskTable(ids) for name, ids in info.ids.items()}
        meaning = {name: ids.model_dump(mode="json") for name, ids in info.ids.items()}
        address = canonical_json({"version": VERSION, "root": str(root.resolve()), "ids": meaning})
        self._name = f"index/{info.name}-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
        self._kept: dict[Pair, Facts] | None = None

    def look(
        self, pairs: Sequence[Pair], *, full: bool = False, observe: Observe = lambda done, total: None
    ) -> Findings:
        """Find out about images; only those that are new, changed or broken are read.

        Args:
            pairs: the images.
            full: also decode every picture that was not decoded before.
            observe: told every now and then.
        """
        started = time.monotonic()
        if self._kept is None:
            self._kept = _unpacked(load_arrays(self._name), self._classes)
        kept = self._kept
        found: dict[Pair, Finding] = {pair: kept[pair] for pair in pairs if pair in kept}
        found = {pair: one for pair, one in found.items() if self._is_fresh(pair, one, full)}
        new = [pair for pair in dict.fromkeys(pairs) if pair not in found]
        found |= self._read(new, full=full, observe=observe)
        each = tuple(found[pair] for pair in pairs)
        return Findings(each, len(pairs) - len(new), time.monotonic() - started)

    def _is_fresh(self, pair: Pair, one: Finding, full: bool) -> bool:
        return isinstance(one, Facts) and one.is_decoded >= full and one.stamp == stamp_of(str(self._root), pair)

    def _read(self, pairs: Sequence[Pair], *, full: bool, observe: Observe) -> dict[Pair, Finding]:
        """Read images, and keep what was found: now and then, at the end, and when interrupted."""
        found: dict[Pair, Finding] = {}
        keep_at = time.monotonic() + _KEEP_EVERY_S
        try:
            for chunk in self._in_parallel(pairs, full):
                found.update(chunk)
                observe(len(found), len(pairs))
                if time.monotonic() >= keep_at:
                    self._keep(found)
                    keep_at = time.monotonic() + _KEEP_EVERY_S
        finally:
            self._keep(found)
        return found

    def _in_parallel(self, pairs: Sequence[Pair], full: bool) -> Iterator[list[tuple[Pair, Finding]]]:
        def read(chunk: Sequence[Pair]) -> list[tuple[Pair, Finding]]:
            return [(pair, scan(self._root, pair, self._tables[pair.ids], full=full)) for pair in chunk]

        # more threads than processors, as files may lie on a slow disk
        with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1)), thread_name_prefix="scan") as pool:
            yield from pool.map(read, [pairs[at : at + _CHUNK] for at in range(0, len(pairs), _CHUNK)])

    def _keep(self, found: dict[Pair, Finding]) -> None:
        kept = self._kept if self._kept is not None else {}
        new = {pair: one for pair, one in found.items() if isinstance(one, Facts) and kept.get(pair) != one}
        if new:
            kept.update(new)
            keep_arrays(self._name, _packed(kept, self._classes))


def _packed(kept: dict[Pair, Facts], classes: int) -> Arrays:
    """Facts as columns, N rows of them."""
    shown = np.zeros((len(kept), classes), dtype=bool)
    for row, facts in enumerate(kept.values()):
        shown[row, list(facts.classes)] = True
    digests = b"".join(facts.picture + facts.mask for facts in kept.values())
    return {
        "paths": np.frombuffer("\n".join("\t".join(pair) for pair in kept).encode(), dtype=np.uint8),
        "stamps": np.array([facts.stamp for facts in kept.values()], dtype=np.int64).reshape(-1, 4),
        "digests": np.frombuffer(digests, dtype=np.uint8),
        "sizes": np.array([facts.size for facts in kept.values()], dtype=np.int64).reshape(-1, 2),
        "shown": np.packbits(shown, axis=1),
        "decoded": np.array([facts.is_decoded for facts in kept.values()], dtype=bool),
    }


def _unpacked(arrays: Arrays | None, classes: int) -> dict[Pair, Facts]:
    """What `_packed` made columns of."""
    if arrays is None:
        return {}
    pairs = [Pair(*line.split("\t")) for line in arrays["paths"].tobytes().decode().split("\n")]
    digests = arrays["digests"].reshape(-1, 64)
    columns = zip(
        pairs,
        map(Stamp._make, arrays["stamps"].tolist()),
        (row.tobytes() for row in digests[:, :32]),
        (row.tobytes() for row in digests[:, 32:]),
        map(tuple, arrays["sizes"].tolist()),
        _where(np.unpackbits(arrays["shown"], axis=1, count=classes)),
        arrays["decoded"].tolist(),
        strict=True,
    )
    return {pair: Facts(*rest) for pair, *rest in columns}


def _where(shown: NDArray[np.uint8]) -> Iterator[tuple[int, ...]]:
    """The columns that are set, row by row."""
    rows, columns = np.nonzero(shown)
    ends = np.searchsorted(rows, np.arange(len(shown)), side="right").tolist()
    flat = columns.tolist()
    return (tuple(flat[first:last]) for first, last in zip([0, *ends], ends, strict=False))
