"""Check that a dataset is complete and readable. All problems are collected; one broken file hides no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.core.split import Split, list_splits, load_split
from benchmark.data.folders.dataset import FolderDataset
from benchmark.data.folders.dataset_spec import DatasetSpec
from benchmark.data.folders.discovery import DatasetLocation, iterate_locations, locate_dataset
from benchmark.data.folders.index import ScanResults
from benchmark.data.folders.scan import DatasetProblem
from benchmark.utils.did_you_mean import explain_unknown_name

OnSubsetProgress = Callable[[str, int, int], None]
"""Called with a subset and the numbers of its images read and to be read."""


@dataclass(frozen=True)
class SubsetReport:
    """Result of checking one subset.

    Attributes:
        subset: Name of the subset.
        images: Number of images found; 0 if the subset is not present.
        expected: Number of images in the complete subset.
        is_short: Whether images are missing.
        missing: Files and folders without which the subset is not present.
        broken: Number of images with a missing or broken file, or with files that do not match.
        fingerprint: Fingerprint of the images found; empty if an image is broken.
    """

    subset: str
    images: int
    expected: int
    is_short: bool
    missing: tuple[str, ...] = ()
    broken: int = 0
    fingerprint: str = ""


@dataclass(frozen=True)
class SplitReport:
    """Training images of a split, counted by the classes they show.

    Attributes:
        split: Name of the split.
        protocol: Default protocol of the split.
        subset: Subset that the split trains on.
        images: Number of images counted, without broken ones.
        with_unseen: Number of these that show an unseen class.
        only_unseen: Number of these that show unseen classes only, so that nothing is learned from them.
        error: Reason why nothing could be counted.
    """

    split: str
    protocol: str = ""
    subset: str = ""
    images: int = 0
    with_unseen: int = 0
    only_unseen: int = 0
    error: str = ""


@dataclass(frozen=True)
class DatasetReport:
    """Result of checking a dataset.

    Attributes:
        layout: Name of the layout found.
        root: Root folder of the dataset.
        subsets: Reports on the subsets, in the order of the description.
        problems: All defects, missing and incomplete subsets included.
        splits: Reports on the splits of the dataset.
        images: Number of images checked.
        num_cached: Number of these whose files were not opened.
        seconds: Duration of the check.
    """

    layout: str
    root: Path
    subsets: tuple[SubsetReport, ...]
    problems: tuple[DatasetProblem, ...]
    splits: tuple[SplitReport, ...]
    images: int
    num_cached: int
    seconds: float

    @property
    def files_per_s(self) -> float:
        """Files read per second, images and masks."""
        return 2 * (self.images - self.num_cached) / max(self.seconds, 1e-9)


def check_dataset(
    spec: DatasetSpec,
    folders: Sequence[Path],
    *,
    subsets: Sequence[str] = (),
    layout: str = "",
    full: bool = False,
    on_found: Callable[[DatasetLocation], None] = lambda location: None,
    on_progress: OnSubsetProgress = lambda subset, done, total: None,
) -> DatasetReport | None:
    """Check every file of a dataset.

    Args:
        spec: Description of the dataset.
        folders: Folders to look in.
        subsets: Names of the subsets to check; all if empty.
        layout: Name of the only layout to look for; all if empty.
        full: Whether to decode every image; otherwise only its header and its end are checked.
        on_found: Called with the layout and its images before any file is read.
        on_progress: Called regularly with the progress.

    Returns:
        The report, or None if nothing of the dataset was found; see `describe_search`.

    Raises:
        KeyError: No subset or layout has this name.
        ValueError: A list of images cannot be read.
    """
    for subset in subsets:
        if subset not in spec.image_counts:
            raise KeyError(explain_unknown_name("subset", subset, spec.image_counts))
    location = locate_dataset(spec, folders, layout=layout)
    if location is None:
        return None
    on_found(location)
    dataset = FolderDataset(spec, location)
    requested = [subset for subset in spec.image_counts if subset in (subsets or spec.image_counts)]
    scans = {
        subset: dataset.scan(subset, full=full, on_progress=partial(on_progress, subset))
        for subset in requested
        if subset in location.subsets
    }
    required = set(subsets or set(spec.image_counts) - set(spec.optional_subsets))
    return _make_report(spec, dataset, scans, requested=requested, required=required)


def _make_report(
    spec: DatasetSpec,
    dataset: FolderDataset,
    scans: dict[str, ScanResults],
    *,
    requested: Sequence[str],
    required: Collection[str],
) -> DatasetReport:
    location = dataset.location
    problems = [
        *(problem for subset in requested for problem in _check_subset(spec, location, subset, subset in required)),
        *(problem for scan in scans.values() for problem in scan.problems),
    ]
    return DatasetReport(
        location.layout,
        location.root,
        tuple(_report_subset(dataset, spec, subset, scans.get(subset)) for subset in requested),
        tuple(problems),
        tuple(_report_splits(spec, scans)),
        images=sum(len(scan.results) for scan in scans.values()),
        num_cached=sum(scan.num_cached for scan in scans.values()),
        seconds=sum(scan.seconds for scan in scans.values()),
    )


def describe_search(spec: DatasetSpec, folders: Sequence[Path], *, layout: str = "") -> list[str]:
    """Return one line per layout and folder that says what is missing there.

    Args:
        spec: Description of the dataset.
        folders: Folders that were searched.
        layout: Name of the only layout that was looked for; all if empty.
    """
    lines = [f"{folder} does not exist" for folder in folders if not folder.is_dir()]
    for name in [layout] if layout else spec.layouts:
        for folder in folders:
            if folder.is_dir():
                lines.append(f"{name}: {'; '.join(_describe_layout(spec, folder, name))}")
    return lines


def _describe_layout(spec: DatasetSpec, folder: Path, layout: str) -> Iterator[str]:
    existing = {location.root: location for location in iterate_locations(spec, [folder], layout=layout)}
    absent = [root for root in spec.layouts[layout].roots if folder / root not in existing]
    if absent:
        yield f"no folder {' or '.join(absent)} in {folder}"
    for root, location in existing.items():
        missing = dict.fromkeys(gap for gaps in location.missing.values() for gap in gaps)
        yield f"{root} lacks {', '.join(missing)}"


def _report_subset(dataset: FolderDataset, spec: DatasetSpec, subset: str, scan: ScanResults | None) -> SubsetReport:
    expected = spec.image_counts[subset]
    if scan is None:
        missing = _list_missing(dataset.location, subset)
        return SubsetReport(subset, 0, expected, is_short=True, missing=missing)
    images = len(scan.results)
    broken = images - len(scan.facts)
    fingerprint = "" if broken else dataset.fingerprint(subset)
    is_short = images < expected and not spec.is_complete(subset, images)
    return SubsetReport(subset, images, expected, is_short, broken=broken, fingerprint=fingerprint)


def _list_missing(location: DatasetLocation, subset: str) -> tuple[str, ...]:
    return location.missing.get(subset) or (f"an entry in layout {location.layout}",)


def _check_subset(
    spec: DatasetSpec, location: DatasetLocation, subset: str, is_required: bool
) -> Iterator[DatasetProblem]:
    """Yield the problems of a subset that are known without reading its files."""
    root = str(location.root)
    if subset not in location.subsets:
        if is_required:
            missing = ", ".join(_list_missing(location, subset))
            yield DatasetProblem("missing", root, f"subset {subset!r} is not present: it lacks {missing}")
        return
    files = location.subsets[subset]
    if not spec.is_complete(subset, len(files)):
        kind = "incomplete" if len(files) < spec.image_counts[subset] else "too many"
        text = f"subset {subset!r} has {len(files)} images, expected {spec.image_counts[subset]}"
        yield DatasetProblem(kind, root, text)
    for image_id in files.duplicates:
        text = f"image {image_id} is listed more than once in subset {subset!r}; it is read once"
        yield DatasetProblem("duplicate", root, text)


def _report_splits(spec: DatasetSpec, scans: dict[str, ScanResults]) -> Iterator[SplitReport]:
    for name in list_splits():
        try:
            split = load_split(name)
        except ValueError as error:
            yield SplitReport(name, error=str(error))
            continue
        if split.dataset == spec.name:
            yield _report_split(split, spec, scans)


def _report_split(split: Split, spec: DatasetSpec, scans: dict[str, ScanResults]) -> SplitReport:
    if split.train not in scans:
        error = f"subset {split.train!r} was not checked"
        return SplitReport(split.name, split.protocol, split.train, error=error)
    seen = {index for index, name in enumerate(spec.classes) if name in split.seen}
    unseen = {index for index, name in enumerate(spec.classes) if name in split.unseen}
    shown = [set(facts.classes) for facts in scans[split.train].facts]
    return SplitReport(
        split.name,
        split.protocol,
        split.train,
        images=len(shown),
        with_unseen=sum(bool(classes & unseen) for classes in shown),
        only_unseen=sum(bool(classes & unseen) and not classes & seen for classes in shown),
    )
