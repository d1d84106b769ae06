"""Discovery of datasets on disk: known layouts are looked for below the data folders, by file names only.

Directory listings tell which images and masks exist, so 118287 images cost one listing per folder and no access to
single files. The images of a subset are sorted by id: the same images in another layout have the same order, so that a
run on them is the same run.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from benchmark.data.folders.dataset_spec import DatasetSpec, ImageSource
from benchmark.utils.did_you_mean import explain_unknown_name

DATA_VARIABLE = "CHIMERA_BENCH_DATA"
"""Environment variable with the data folders, separated by `os.pathsep`."""

_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})


class ImageFiles(NamedTuple):
    """Image and mask, as paths relative to the root of a dataset, and the name of the mask's encoding."""

    image: str
    mask: str
    encoding: str


@dataclass(frozen=True)
class SubsetFiles:
    """The images of a subset, sorted by id; small enough to be sent to other processes.

    Attributes:
        patterns: Path patterns of images and masks, with {} for the image id.
        image_ids: Ids of the images.
        pattern_indices: Index of each image's pattern.
        num_complete: Number of images that have both of their files.
        duplicates: Ids that are listed more than once; each is read once.
    """

    patterns: tuple[ImageFiles, ...]
    image_ids: tuple[str, ...]
    pattern_indices: bytes
    num_complete: int
    duplicates: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> ImageFiles:
        """Return the files of one image."""
        pattern, image_id = self.patterns[self.pattern_indices[index]], self.image_ids[index]
        return ImageFiles(pattern.image.replace("{}", image_id), pattern.mask.replace("{}", image_id), pattern.encoding)


@dataclass(frozen=True)
class DatasetLocation:
    """Location of a dataset: a layout in a folder, and the subsets that are present there.

    Attributes:
        layout: Name of the layout.
        root: Root folder of the dataset.
        subsets: Files of the subsets that are present, by name.
        missing: Files and folders that the other subsets lack, as paths relative to the root, by subset.
    """

    layout: str
    root: Path
    subsets: dict[str, SubsetFiles]
    missing: dict[str, tuple[str, ...]]


def list_data_folders() -> tuple[Path, ...]:
    """Return the folders that $CHIMERA_BENCH_DATA names, in its order."""
    folders = os.environ.get(DATA_VARIABLE, "").split(os.pathsep)
    return tuple(Path(folder).expanduser() for folder in folders if folder)


def locate_dataset(spec: DatasetSpec, folders: Sequence[Path], *, layout: str = "") -> DatasetLocation | None:
    """Return the most complete location of a dataset, or None if no location has any subset.

    Locations are ranked by complete subsets, then by present subsets, then by images; the first of equals wins.

    Args:
        spec: Description of the dataset.
        folders: Folders to look in, in order.
        layout: Name of the only layout to look for; all if empty.

    Raises:
        KeyError: No layout has this name; the message suggests the closest one.
    """
    candidates = [candidate for candidate in iterate_locations(spec, folders, layout=layout) if candidate.subsets]
    return max(candidates, key=lambda candidate: _rank_location(candidate, spec), default=None)


def iterate_locations(spec: DatasetSpec, folders: Sequence[Path], *, layout: str = "") -> Iterator[DatasetLocation]:
    """Yield every possible location of a dataset: each layout in each existing folder where the layout may start.

    A location is yielded even if no subset is present there.

    Args:
        spec: Description of the dataset.
        folders: Folders to look in, in order.
        layout: Name of the only layout to look for; all if empty.

    Raises:
        KeyError: No layout has this name; the message suggests the closest one.
    """
    if layout and layout not in spec.layouts:
        raise KeyError(explain_unknown_name(f"layout of {spec.name}", layout, spec.layouts))
    listings = _FolderListings()
    for name in [layout] if layout else spec.layouts:
        roots = [folder / root for folder in folders for root in spec.layouts[name].roots]
        for root in dict.fromkeys(roots):
            if root.is_dir():
                yield _read_location(spec, name, root, listings=listings)


def read_image_list(path: Path) -> list[str]:
    """Return the image ids of a list file: the first word of each line, without folders and image suffix.

    Raises:
        ValueError: The file is not readable as text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a list of images: {error}") from error
    words = [line.split()[0].replace("\\", "/") for line in lines if line.strip()]
    return [_remove_image_suffix(PurePosixPath(word).name) for word in words]


class _FolderListings:
    """File names in folders; each folder is listed once."""

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str] | None] = {}
        self._ids: dict[tuple[Path, str], frozenset[str]] = {}

    def list_names(self, folder: Path) -> frozenset[str] | None:
        """Return the names in a folder, or None if the folder does not exist."""
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._names[folder] = None
        return self._names[folder]

    def list_ids(self, root: Path, pattern: str) -> frozenset[str]:
        """Return the image ids of the files that match a pattern."""
        if (root, pattern) not in self._ids:
            folder, prefix, suffix = _split_pattern(pattern)
            least = len(prefix) + len(suffix)
            self._ids[root, pattern] = frozenset(
                name[len(prefix) : len(name) - len(suffix)]
                for name in self.list_names(root / folder) or ()
                if len(name) > least and name.startswith(prefix) and name.endswith(suffix)
            )
        return self._ids[root, pattern]


def _rank_location(location: DatasetLocation, spec: DatasetSpec) -> tuple[int, int, int]:
    complete = [
        subset
        for subset, files in location.subsets.items()
        if files.num_complete == len(files) and spec.is_complete(subset, len(files))
    ]
    return len(complete), len(location.subsets), sum(files.num_complete for files in location.subsets.values())


def _read_location(spec: DatasetSpec, layout: str, root: Path, *, listings: _FolderListings) -> DatasetLocation:
    subsets: dict[str, SubsetFiles] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for subset, sources in spec.layouts[layout].subsets.items():
        gaps = [gap for source in sources for gap in _list_missing(source, root, listings)]
        if gaps:
            missing[subset] = tuple(dict.fromkeys(gaps))
        else:
            subsets[subset] = _list_files(sources, root, listings)
    return DatasetLocation(layout, root, subsets, missing)


def _list_missing(source: ImageSource, root: Path, listings: _FolderListings) -> list[str]:
    """Return what a source lacks to be usable, as paths relative to the root."""
    folders = [_split_pattern(pattern)[0] for pattern in (source.images, *source.masks)]
    exists = [listings.list_names(root / folder) is not None for folder in folders]
    gaps = [source.list_file] if source.list_file and not (root / source.list_file).is_file() else []
    gaps += [] if exists[0] else [f"{folders[0]}/"]
    gaps += [] if any(exists[1:]) else [" or ".join(f"{folder}/" for folder in folders[1:])]
    if gaps:
        return gaps
    ids = _list_source_ids(source, root, listings)
    if not ids:
        return [f"images in {source.list_file}" if source.list_file else source.images.replace("{}", "*")]
    masks = _find_mask_pattern(source, root, listings)
    return [] if listings.list_ids(root, masks).intersection(ids) else [masks.replace("{}", "*")]


def _list_files(sources: Sequence[ImageSource], root: Path, listings: _FolderListings) -> SubsetFiles:
    patterns = tuple(
        ImageFiles(source.images, _find_mask_pattern(source, root, listings), source.encoding) for source in sources
    )
    complete = [listings.list_ids(root, pattern.image) & listings.list_ids(root, pattern.mask) for pattern in patterns]
    listed = [
        (image_id, index)
        for index, source in enumerate(sources)
        for image_id in _list_source_ids(source, root, listings)
    ]
    times = Counter(image_id for image_id, _ in listed)
    pattern_index = dict(reversed(listed))  # the first pattern of an image that is listed more than once
    image_ids = sorted(pattern_index)
    return SubsetFiles(
        patterns,
        tuple(image_ids),
        bytes(pattern_index[image_id] for image_id in image_ids),
        sum(image_id in complete[pattern_index[image_id]] for image_id in image_ids),
        tuple(image_id for image_id in image_ids if times[image_id] > 1),
    )


def _list_source_ids(source: ImageSource, root: Path, listings: _FolderListings) -> list[str]:
    if source.list_file:
        return read_image_list(root / source.list_file)
    return sorted(listings.list_ids(root, source.images))


def _find_mask_pattern(source: ImageSource, root: Path, listings: _FolderListings) -> str:
    """Return the first mask pattern whose folder exists."""
    existing = [
        pattern for pattern in source.masks if listings.list_names(root / _split_pattern(pattern)[0]) is not None
    ]
    return existing[0]


def _split_pattern(pattern: str) -> tuple[str, str, str]:
    """Return the folder of a pattern, and the text before and after the id in the file name."""
    folder, _, name = pattern.rpartition("/")
    prefix, _, suffix = name.partition("{}")
    return folder or ".", prefix, suffix


def _remove_image_suffix(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in _IMAGE_SUFFIXES else name
