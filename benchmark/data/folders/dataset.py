"""A data set on disk behind the `Dataset` protocol, in any of its layouts."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from benchmark.data.base import Address, RawSample
from benchmark.data.folders.dataset_spec import DatasetInfo
from benchmark.data.folders.decode import decode_mask, decode_picture, header_of, read_content
from benchmark.data.folders.discovery import Found, PartFiles
from benchmark.data.folders.index import Finding, Findings, Index, Observe
from benchmark.data.folders.mask_values import MaskTable
from benchmark.data.folders.scan import Facts, size_mismatch
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import canonical_json

LOG_EVERY_S = 10.0

_log = logging.getLogger(__name__)


class FolderDataset:
    """The images of a layout that was found.

    Args:
        info: of the data set.
        found: where it lies.
    """

    def __init__(self, info: DatasetInfo, found: Found) -> None:
        self.name = info.name
        self.classes = info.classes
        self.found = found
        self._info = info
        self._tables = {name: MaskTable(ids) for name, ids in info.ids.items()}
        self._index: Index | None = None
        self._findings: dict[str, Findings] = {}

    def __getstate__(self) -> dict[str, object]:
        """Without what is known of single files: readers in other processes do not need it."""
        return self.__dict__ | {"_index": None, "_findings": {}}

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that are there."""
        return tuple(self.found.parts)

    def size(self, part: str) -> int:
        """How many images a part has. Raises KeyError for a part that is unknown or not there."""
        return len(self._part(part))

    def read(self, part: str, index: int) -> RawSample:
        """One image: the picture as it is shown, labels uint8, or uint16 beside more than 255 classes.

        Raises:
            KeyError: a part that is unknown or not there.
            IndexError: out of range.
            ValueError: a file is missing or broken, the mask has an id that means nothing, or the sizes differ.
        """
        files = self._part(part)
        pair = files.pair(self._checked(part, index))
        root = self.found.root
        picture, mask = root / pair.picture, root / pair.mask
        content = read_content(picture)
        image = decode_picture(content, picture)
        labels = self._tables[pair.ids](decode_mask(read_content(mask), mask), mask)
        if image.shape[:2] != labels.shape:
            raise ValueError(size_mismatch(root, pair, header=header_of(content, picture), mask=labels.shape))
        return RawSample(image, labels, *self.address(part, index))

    def address(self, part: str, index: int) -> Address:
        """Image id and path of the picture. Raises like `read` for what is not there."""
        return Address(self._part(part).image_ids[self._checked(part, index)], str(self.paths(part, index)[0]))

    def paths(self, part: str, index: int) -> tuple[Path, Path]:
        """Picture and mask of one image. Raises like `read` for what is not there."""
        pair = self._part(part).pair(self._checked(part, index))
        return self.found.root / pair.picture, self.found.root / pair.mask

    def look(self, part: str, *, full: bool = False, observe: Observe | None = None) -> Findings:
        """Find out about every image of a part; of files that were read before, only size and time are looked at.

        Args:
            part: its name.
            full: decode every picture, not only its header.
            observe: told how far it is; the log is where it is not given.

        Raises:
            KeyError: a part that is unknown or not there.
        """
        files = self._part(part)
        self._index = self._index or Index(self._info, self.found.root)
        pairs = [files.pair(index) for index in range(len(files))]
        self._findings[part] = self._index.look(pairs, full=full, observe=observe or _logging(f"{self.name} {part}"))
        return self._findings[part]

    def labels_in(self, part: str, index: int) -> frozenset[int]:
        """Which classes an image shows. The first call may read all masks of the part; raises like `read`."""
        finding = self._known(part)[self._checked(part, index)]
        if not isinstance(finding, Facts):
            raise ValueError(finding[0].text)
        return frozenset(finding.classes)

    def fingerprint(self, *parts: str) -> str:
        """SHA-256 hex over class names, image ids, pictures and labels of some parts, of all where none is named.

        The same in every layout and folder. The first call reads every file that was not read before.

        Raises:
            KeyError: a part that is unknown or not there.
            ValueError: files are missing or broken; how many, and which is the first.
        """
        digests = {part: self._digest(part) for part in parts or self.parts}
        content = {"name": self.name, "classes": self.classes, "parts": digests}
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()

    def _digest(self, part: str) -> str:
        findings = self._known(part)
        broken = [one for one in findings if not isinstance(one, Facts)]
        if broken:
            raise ValueError(
                f"{len(broken)} of {len(findings)} images in part {part!r} of {self.name!r} are broken, the first: "
                f"{broken[0][0].text}. All of them: chimera-bench data check {self.name}"
            )
        return part_digest(self._part(part), findings)

    def _known(self, part: str) -> tuple[Finding, ...]:
        return (self._findings.get(part) or self.look(part)).each

    def _part(self, part: str) -> PartFiles:
        found = self.found
        if part in found.parts:
            return found.parts[part]
        if part in self._info.counts:
            lacks = found.missing.get(part, ())
            reason = f"it lacks {' and '.join(lacks)}" if lacks else f"the layout {found.layout!r} has no such part"
            raise KeyError(
                f"part {part!r} of {self.name!r} is not in {found.root}: {reason}. "
                f"There are: {', '.join(self.parts)}; see chimera-bench data check {self.name}"
            )
        raise KeyError(unknown_name("part", part, self.parts))

    def _checked(self, part: str, index: int) -> int:
        if not 0 <= index < self.size(part):
            raise IndexError(f"part {part!r} has images 0 to {self.size(part) - 1}, asked for {index}")
        return index


def part_digest(files: PartFiles, findings: Sequence[Finding]) -> str:
    """SHA-256 hex over image ids, pictures and labels of a part that is whole, in the order of the ids."""
    content = hashlib.sha256()
    for image_id, facts in zip(files.image_ids, findings, strict=True):
        assert isinstance(facts, Facts)
        content.update(f"{image_id} {facts.picture.hex()} {facts.mask.hex()}\n".encode())
    return content.hexdigest()


def _logging(what: str) -> Observe:
    """Tells the log how far reading has come, now and then."""
    started = last = time.monotonic()

    def observe(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LOG_EVERY_S:
            last = now
            left = (now - started) / done * (total - done)
            _log.info("reading %s once: %d of %d images, %.0f s left", what, done, total, left)

    return observe
