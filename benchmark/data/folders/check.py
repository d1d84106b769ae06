"""Is a data set all there and whole? Everything that is wrong is collected; one broken file hides no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.core.split import Split, load_split, split_names
from benchmark.data.folders.dataset import FolderDataset
from benchmark.data.folders.dataset_spec import DatasetInfo
from benchmark.data.folders.discovery import Found, PartFiles, find, survey
from benchmark.data.folders.index import Findings
from benchmark.data.folders.scan import Facts, Problem
from benchmark.utils.did_you_mean import unknown_name

Observe = Callable[[str, int, int], None]
"""Called with a part, how many of its images were read, and how many have to be."""


@dataclass(frozen=True)
class PartReport:
    """One part.

    Attributes:
        part: its name.
        images: how many were found; 0 where the part is not there.
        expected: how many it has when it is whole.
        is_short: whether it has too few.
        lacks: what the part would need to be there.
        broken: images with a file that is missing or broken, or with files that do not fit each other.
        fingerprint: of what is there; empty where an image is broken.
    """

    part: str
    images: int
    expected: int
    is_short: bool
    lacks: tuple[str, ...] = ()
    broken: int = 0
    fingerprint: str = ""


@dataclass(frozen=True)
class SplitReport:
    """What a split makes of the training images.

    Attributes:
        split: its name.
        protocol: that it is run under unless another is asked for.
        part: that it trains on.
        images: how many were counted; broken ones are not.
        with_unseen: of these, how many show a class that is withheld.
        only_unseen: how many show no other class, so that nothing is learnt from them.
        fault: why nothing could be counted.
    """

    split: str
    protocol: str = ""
    part: str = ""
    images: int = 0
    with_unseen: int = 0
    only_unseen: int = 0
    fault: str = ""


@dataclass(frozen=True)
class Report:
    """All that was found out.

    Attributes:
        layout: which was found.
        root: in which folder.
        parts: in the order of the data set.
        problems: everything that is wrong, missing or too little.
        splits: those of this data set.
        images: that were looked at.
        from_cache: of how many no file was opened.
        seconds: that it took.
    """

    layout: str
    root: Path
    parts: tuple[PartReport, ...]
    problems: tuple[Problem, ...]
    splits: tuple[SplitReport, ...]
    images: int
    from_cache: int
    seconds: float

    @property
    def files_per_s(self) -> float:
        """Files that were read, pictures and masks, by the time all of it took."""
        return 2 * (self.images - self.from_cache) / max(self.seconds, 1e-9)


def check_dataset(
    info: DatasetInfo,
    folders: Sequence[Path],
    *,
    parts: Sequence[str] = (),
    layout: str = "",
    full: bool = False,
    announce: Callable[[Found], None] = lambda found: None,
    observe: Observe = lambda part, done, total: None,
) -> Report | None:
    """Look at every file of a data set.

    Args:
        info: which one.
        folders: where to look for it.
        parts: only these; all if empty.
        layout: only in this one.
        full: decode every picture; otherwise pictures are seen to begin and end as pictures do.
        announce: told which layout was found and which images it lists, before any file is read.
        observe: told how far it is.

    Returns:
        What was found out; None where nothing of the data set is there, see `looked_for`.

    Raises:
        KeyError: no such part or layout.
        ValueError: a list of images cannot be read.
    """
    for part in parts:
        if part not in info.counts:
            raise KeyError(unknown_name("part", part, info.counts))
    found = find(info, folders, layout=layout)
    if found is None:
        return None
    announce(found)
    dataset = FolderDataset(info, found)
    wanted = [part for part in info.counts if part in (parts or info.counts)]
    findings = {
        part: dataset.look(part, full=full, observe=partial(observe, part)) for part in wanted if part in found.parts
    }
    reports = tuple(_part_report(dataset, info, part, findings.get(part)) for part in wanted)
    needed = set(parts or set(info.counts) - set(info.optional))
    problems = [problem for part in wanted for problem in _shortcomings(info, found, part, part in needed)]
    problems += [problem for one in findings.values() for problem in one.problems]
    return Report(
        found.layout,
        found.root,
        reports,
        tuple(problems),
        tuple(_split_reports(info, findings)),
        images=sum(len(one.each) for one in findings.values()),
        from_cache=sum(one.from_cache for one in findings.values()),
        seconds=sum(one.seconds for one in findings.values()),
    )


def looked_for(info: DatasetInfo, folders: Sequence[Path], *, layout: str = "") -> list[str]:
    """Where each layout was looked for and what is missing there, one line each."""
    lines = [f"{folder} does not exist" for folder in folders if not folder.is_dir()]
    for name in [layout] if layout else info.layouts:
        for folder in folders:
            if folder.is_dir():
                lines.append(f"{name}: {'; '.join(_looked_at(info, folder, name))}")
    return lines


def _looked_at(info: DatasetInfo, folder: Path, layout: str) -> Iterator[str]:
    there = {one.root: one for one in survey(info, [folder], layout=layout)}
    absent = [root for root in info.layouts[layout].roots if folder / root not in there]
    if absent:
        yield f"no folder {' or '.join(absent)} in {folder}"
    for root, found in there.items():
        lacks = dict.fromkeys(gap for gaps in found.missing.values() for gap in gaps)
        yield f"{root} lacks {', '.join(lacks)}"


def _part_report(dataset: FolderDataset, info: DatasetInfo, part: str, findings: Findings | None) -> PartReport:
    expected = info.counts[part]
    if findings is None:
        return PartReport(part, 0, expected, is_short=True, lacks=_lacks(dataset.found, part))
    broken = sum(not isinstance(one, Facts) for one in findings.each)
    images = len(findings.each)
    fingerprint = "" if broken else dataset.fingerprint(part)
    is_short = images < expected and not info.is_whole(part, images)
    return PartReport(part, images, expected, is_short, broken=broken, fingerprint=fingerprint)


def _lacks(found: Found, part: str) -> tuple[str, ...]:
    return found.missing.get(part) or (f"a place in the layout {found.layout}",)


def _shortcomings(info: DatasetInfo, found: Found, part: str, is_needed: bool) -> Iterator[Problem]:
    """What is wrong with a part before any of its files is looked at."""
    root = str(found.root)
    if part not in found.parts:
        if is_needed:
            yield Problem("missing", root, f"part {part!r} is not there: it lacks {', '.join(_lacks(found, part))}")
        return
    files: PartFiles = found.parts[part]
    if not info.is_whole(part, len(files)):
        kind = "incomplete" if len(files) < info.counts[part] else "too many"
        yield Problem(kind, root, f"part {part!r} has {len(files)} images, expected {info.counts[part]}")
    for image_id in files.twice:
        yield Problem("twice", root, f"image {image_id} is listed more than once in part {part!r} and is read once")


def _split_reports(info: DatasetInfo, findings: dict[str, Findings]) -> Iterator[SplitReport]:
    for name in split_names():
        try:
            split = load_split(name)
        except ValueError as error:
            yield SplitReport(name, fault=str(error))
            continue
        if split.dataset == info.name:
            yield _split_report(split, info, findings)


def _split_report(split: Split, info: DatasetInfo, findings: dict[str, Findings]) -> SplitReport:
    if split.train not in findings:
        return SplitReport(split.name, split.protocol, split.train, fault=f"part {split.train!r} was not looked at")
    seen = {index for index, name in enumerate(info.classes) if name in split.seen}
    unseen = {index for index, name in enumerate(info.classes) if name in split.unseen}
    shown = [set(one.classes) for one in findings[split.train].each if isinstance(one, Facts)]
    return SplitReport(
        split.name,
        split.protocol,
        split.train,
        images=len(shown),
        with_unseen=sum(bool(classes & unseen) for classes in shown),
        only_unseen=sum(bool(classes & unseen) and not classes & seen for classes in shown),
    )
