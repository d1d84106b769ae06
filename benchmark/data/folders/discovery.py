"""Where a data set lies: its layouts are looked for below given folders, by the names of files and nothing else.

Directory listings tell which pictures and masks exist, so 118287 of them cost one look at a folder and no look at a
file. Within a part images are sorted by their id: the same images in another layout come in the same order, so that
a run on them is the same run.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from benchmark.data.folders.dataset_spec import DatasetInfo, Source
from benchmark.utils.did_you_mean import unknown_name

VARIABLE = "CHIMERA_BENCH_DATA"
"""Folders below which data sets are looked for, with `os.pathsep` between them."""

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})


class Pair(NamedTuple):
    """An image: picture and mask, as paths below the root of the data set, and the table that the mask follows."""

    picture: str
    mask: str
    ids: str


@dataclass(frozen=True)
class PartFiles:
    """The images of one part, sorted by id. Light enough to be sent to other processes.

    Attributes:
        places: patterns of pictures and masks with {} for the id.
        image_ids: of the images.
        place_of: for every image, which of the places it is at.
        complete: how many of them have both of their files.
        twice: ids that were listed more than once, and are read once.
    """

    places: tuple[Pair, ...]
    image_ids: tuple[str, ...]
    place_of: bytes
    complete: int
    twice: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.image_ids)

    def pair(self, index: int) -> Pair:
        """The files of one image."""
        place, image_id = self.places[self.place_of[index]], self.image_ids[index]
        return Pair(place.picture.replace("{}", image_id), place.mask.replace("{}", image_id), place.ids)


@dataclass(frozen=True)
class Found:
    """A layout at a folder, with what of it is there.

    Attributes:
        layout: its name.
        root: the folder.
        parts: those that are there, by name.
        missing: what the others lack, as paths below the root, by part.
    """

    layout: str
    root: Path
    parts: dict[str, PartFiles]
    missing: dict[str, tuple[str, ...]]


def data_folders() -> tuple[Path, ...]:
    """The folders that $CHIMERA_BENCH_DATA names, in its order."""
    given = os.environ.get(VARIABLE, "").split(os.pathsep)
    return tuple(Path(text).expanduser() for text in given if text)


def find(info: DatasetInfo, folders: Sequence[Path], *, layout: str = "") -> Found | None:
    """The layout that holds most: complete parts first, then parts at all, then images; of equals, the first.

    Args:
        info: which data set.
        folders: where to look, in order.
        layout: only this one.

    Raises:
        KeyError: there is no layout of that name; names the nearest.
    """
    found = [one for one in survey(info, folders, layout=layout) if one.parts]
    return max(found, key=lambda one: _worth(one, info), default=None)


def survey(info: DatasetInfo, folders: Sequence[Path], *, layout: str = "") -> Iterator[Found]:
    """Every layout at every folder where it might be, also where nothing of it is."""
    if layout and layout not in info.layouts:
        raise KeyError(unknown_name(f"layout of {info.name}", layout, info.layouts))
    disk = _Disk()
    for name in [layout] if layout else info.layouts:
        roots = [folder / root for folder in folders for root in info.layouts[name].roots]
        for root in dict.fromkeys(roots):
            if root.is_dir():
                yield _look(info, name, root, disk=disk)


def read_list(path: Path) -> list[str]:
    """Image ids of a list file: the first word of every line, without folders and without a picture's suffix.

    Raises:
        ValueError: the file cannot be read as text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a list of images: {error}") from error
    words = [line.split()[0].replace("\\", "/") for line in lines if line.strip()]
    return [_without_suffix(PurePosixPath(word).name) for word in words]


class _Disk:
    """Names of the files in folders; every folder is listed once."""

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str] | None] = {}
        self._ids: dict[tuple[Path, str], frozenset[str]] = {}

    def names(self, folder: Path) -> frozenset[str] | None:
        """None where there is no such folder."""
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._names[folder] = None
        return self._names[folder]

    def ids_at(self, root: Path, pattern: str) -> frozenset[str]:
        """What stands for {} in the files that fit a pattern."""
        if (root, pattern) not in self._ids:
            folder, before, after = _split(pattern)
            least = len(before) + len(after)
            self._ids[root, pattern] = frozenset(
                name[len(before) : len(name) - len(after)]
                for name in self.names(root / folder) or ()
                if len(name) > least and name.startswith(before) and name.endswith(after)
            )
        return self._ids[root, pattern]


def _worth(found: Found, info: DatasetInfo) -> tuple[int, int, int]:
    whole = [
        part for part, files in found.parts.items() if files.complete == len(files) and info.is_whole(part, len(files))
    ]
    return len(whole), len(found.parts), sum(files.complete for files in found.parts.values())


def _look(info: DatasetInfo, layout: str, root: Path, *, disk: _Disk) -> Found:
    parts: dict[str, PartFiles] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for part, sources in info.layouts[layout].parts.items():
        gaps = [gap for source in sources for gap in _gaps(source, root, disk)]
        if gaps:
            missing[part] = tuple(dict.fromkeys(gaps))
        else:
            parts[part] = _files(sources, root, disk)
    return Found(layout, root, parts, missing)


def _gaps(source: Source, root: Path, disk: _Disk) -> list[str]:
    """What must be there and is not, for a source to be one; as paths below the root."""
    folders = [_split(pattern)[0] for pattern in (source.images, *source.masks)]
    is_there = [disk.names(root / folder) is not None for folder in folders]
    gaps = [source.listed] if source.listed and not (root / source.listed).is_file() else []
    gaps += [] if is_there[0] else [f"{folders[0]}/"]
    gaps += [] if any(is_there[1:]) else [" or ".join(f"{folder}/" for folder in folders[1:])]
    if gaps:
        return gaps
    ids = _ids(source, root, disk)
    if not ids:
        return [f"images in {source.listed}" if source.listed else source.images.replace("{}", "*")]
    masks = _masks(source, root, disk)
    return [] if disk.ids_at(root, masks).intersection(ids) else [masks.replace("{}", "*")]


def _files(sources: Sequence[Source], root: Path, disk: _Disk) -> PartFiles:
    places = tuple(Pair(one.images, _masks(one, root, disk), one.ids) for one in sources)
    whole = [disk.ids_at(root, place.picture) & disk.ids_at(root, place.mask) for place in places]
    listed = [(image_id, place) for place, source in enumerate(sources) for image_id in _ids(source, root, disk)]
    times = Counter(image_id for image_id, _ in listed)
    place_of = dict(reversed(listed))  # of an image that is listed twice, the first place
    image_ids = sorted(place_of)
    complete = sum(image_id in whole[place_of[image_id]] for image_id in image_ids)
    twice = tuple(image_id for image_id in image_ids if times[image_id] > 1)
    return PartFiles(places, tuple(image_ids), bytes(place_of[one] for one in image_ids), complete, twice)


def _ids(source: Source, root: Path, disk: _Disk) -> list[str]:
    return read_list(root / source.listed) if source.listed else sorted(disk.ids_at(root, source.images))


def _masks(source: Source, root: Path, disk: _Disk) -> str:
    """The first pattern of masks whose folder is there."""
    there = [pattern for pattern in source.masks if disk.names(root / _split(pattern)[0]) is not None]
    return there[0]


def _split(pattern: str) -> tuple[str, str, str]:
    """Folder, and what stands before and after the id in the file's name."""
    folder, _, name = pattern.rpartition("/")
    before, _, after = name.partition("{}")
    return folder or ".", before, after


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in _SUFFIXES else name
