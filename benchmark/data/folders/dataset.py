"""A dataset on disk, in any of its layouts, behind the `Dataset` protocol."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from benchmark.data.base import ImageRef, RawSample
from benchmark.data.folders.dataset_spec import DatasetSpec
from benchmark.data.folders.decode import decode_image, decode_mask, read_content, read_header
from benchmark.data.folders.discovery import DatasetLocation, SubsetFiles
from benchmark.data.folders.index import OnProgress, ScanIndex, ScanResult, ScanResults
from benchmark.data.folders.mask_values import MaskValueTable
from benchmark.data.folders.scan import ImageFacts, describe_size_mismatch
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import format_canonical_json

LOG_EVERY_S = 10.0

_log = logging.getLogger(__name__)


class FolderDataset:
    """The images of a dataset in a layout that was found on disk.

    Args:
        spec: Description of the dataset.
        location: Folder of the dataset, with its files.
    """

    def __init__(self, spec: DatasetSpec, location: DatasetLocation) -> None:
        self.name = spec.name
        self.classes = spec.classes
        self.location = location
        self._spec = spec
        self._tables = {name: MaskValueTable(encoding) for name, encoding in spec.mask_encodings.items()}
        self._index: ScanIndex | None = None
        self._scans: dict[str, ScanResults] = {}

    def __getstate__(self) -> dict[str, object]:
        """Return the state without facts about single files: readers in other processes do not need them."""
        return self.__dict__ | {"_index": None, "_scans": {}}

    @property
    def subsets(self) -> tuple[str, ...]:
        """Names of the subsets that are present."""
        return tuple(self.location.subsets)

    def size(self, subset: str) -> int:
        """Return the number of images in a subset.

        Raises:
            KeyError: The subset is unknown or not present.
        """
        return len(self._files(subset))

    def read(self, subset: str, index: int) -> RawSample:
        """Read one image, as displayed, and its labels: uint8, or uint16 if there are more than 255 classes.

        Raises:
            KeyError: The subset is unknown or not present.
            IndexError: The index is out of range.
            ValueError: A file is missing or broken, the mask has illegal values, or the sizes differ.
        """
        files = self._files(subset)[self._check_index(subset, index)]
        root = self.location.root
        image_path, mask_path = root / files.image, root / files.mask
        content = read_content(image_path)
        image = decode_image(content, image_path)
        labels = self._tables[files.encoding](decode_mask(read_content(mask_path), mask_path), mask_path)
        if image.shape[:2] != labels.shape:
            header = read_header(content, image_path)
            raise ValueError(describe_size_mismatch(root, files, header=header, mask_size=labels.shape))
        return RawSample(image, labels, *self.get_image_ref(subset, index))

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        """Return the id and the path of an image.

        Raises:
            KeyError: The subset is unknown or not present.
            IndexError: The index is out of range.
        """
        image_id = self._files(subset).image_ids[self._check_index(subset, index)]
        return ImageRef(image_id, str(self.paths(subset, index)[0]))

    def paths(self, subset: str, index: int) -> tuple[Path, Path]:
        """Return the paths of an image and of its mask.

        Raises:
            KeyError: The subset is unknown or not present.
            IndexError: The index is out of range.
        """
        files = self._files(subset)[self._check_index(subset, index)]
        return self.location.root / files.image, self.location.root / files.mask

    def scan(self, subset: str, *, full: bool = False, on_progress: OnProgress | None = None) -> ScanResults:
        """Scan all images of a subset; files that were read before are only compared by size and time.

        Args:
            subset: Name of the subset.
            full: Whether to decode the pixels of every image, not only its header.
            on_progress: Called regularly with the progress. If None, progress is logged.

        Raises:
            KeyError: The subset is unknown or not present.
        """
        files = self._files(subset)
        self._index = self._index or ScanIndex(self._spec, self.location.root)
        images = [files[index] for index in range(len(files))]
        on_progress = on_progress or _log_progress(f"{self.name} {subset}")
        self._scans[subset] = self._index.scan(images, full=full, on_progress=on_progress)
        return self._scans[subset]

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        """Return the indices of the classes that an image shows. The first call may read all masks of the subset.

        Raises:
            KeyError: The subset is unknown or not present.
            IndexError: The index is out of range.
            ValueError: A file of the image is missing or broken.
        """
        result = self._results(subset)[self._check_index(subset, index)]
        if not isinstance(result, ImageFacts):
            raise ValueError(result[0].text)
        return frozenset(result.classes)

    def fingerprint(self, *subsets: str) -> str:
        """Return the SHA-256 (hex) of class names, image ids, images and labels; the same in every layout and folder.

        The first call reads every file that was not read before.

        Args:
            *subsets: Names of the subsets; all if none is given.

        Raises:
            KeyError: A subset is unknown or not present.
            ValueError: Files are missing or broken; the message has their number and the first fault.
        """
        digests = {subset: self._digest(subset) for subset in subsets or self.subsets}
        # the key "parts" is part of the fingerprint
        content = {"name": self.name, "classes": self.classes, "parts": digests}
        return hashlib.sha256(format_canonical_json(content).encode()).hexdigest()

    def _digest(self, subset: str) -> str:
        results = self._results(subset)
        broken = [result for result in results if not isinstance(result, ImageFacts)]
        if broken:
            raise ValueError(
                f"{len(broken)} of {len(results)} images in subset {subset!r} of {self.name!r} are broken, the first: "
                f"{broken[0][0].text}. List all: chimera-bench data check {self.name}"
            )
        return digest_subset(self._files(subset), results)

    def _results(self, subset: str) -> tuple[ScanResult, ...]:
        return (self._scans.get(subset) or self.scan(subset)).results

    def _files(self, subset: str) -> SubsetFiles:
        location = self.location
        if subset in location.subsets:
            return location.subsets[subset]
        if subset in self._spec.image_counts:
            missing = location.missing.get(subset, ())
            reason = f"missing {' and '.join(missing)}" if missing else f"layout {location.layout!r} has no such subset"
            raise KeyError(
                f"subset {subset!r} of {self.name!r} is not in {location.root}: {reason}. "
                f"Available: {', '.join(self.subsets)}; see chimera-bench data check {self.name}"
            )
        raise KeyError(explain_unknown_name("subset", subset, self.subsets))

    def _check_index(self, subset: str, index: int) -> int:
        if not 0 <= index < self.size(subset):
            raise IndexError(f"subset {subset!r} has images 0 to {self.size(subset) - 1}, got index {index}")
        return index


def digest_subset(files: SubsetFiles, results: Sequence[ScanResult]) -> str:
    """Return the SHA-256 (hex) of image ids, images and labels of an intact subset, in the order of the ids.

    Args:
        files: Files of the subset.
        results: Facts about each image.
    """
    content = hashlib.sha256()
    for image_id, facts in zip(files.image_ids, results, strict=True):
        assert isinstance(facts, ImageFacts)
        content.update(f"{image_id} {facts.image_digest.hex()} {facts.mask_digest.hex()}\n".encode())
    return content.hexdigest()


def _log_progress(title: str) -> OnProgress:
    """Return a callback that logs the progress of reading every few seconds."""
    started = last = time.monotonic()

    def on_progress(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LOG_EVERY_S:
            last = now
            left = (now - started) / done * (total - done)
            _log.info("reading %s for the first time: %d of %d images, %.0f s left", title, done, total, left)

    return on_progress
