"""Text and JSON of `data check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.data.folders.check import DatasetReport, SplitReport, SubsetReport
    from benchmark.data.folders.dataset_spec import DatasetSpec

SHOWN_PROBLEMS = 20


def format_report(spec: DatasetSpec, report: DatasetReport) -> Iterator[str]:
    """Yield the lines of a report on a dataset that was found.

    Args:
        spec: Description of the dataset.
        report: Result of the check.
    """
    yield f"{spec.title}: layout {report.layout} in {report.root}"
    for subset in report.subsets:
        yield f"  {subset.subset}: {_format_subset(subset, is_optional=subset.subset in spec.optional_subsets)}"
    yield _format_reading(report)
    for split in report.splits:
        protocol = f" (protocol {split.protocol})" if split.protocol else ""
        yield f"split {split.split}{protocol}: {_format_split(split)}"
    for text in filter(None, (spec.layouts[report.layout].note, spec.note)):
        yield f"note: {text}"
    yield from _format_problems(spec, report)


def format_absence(spec: DatasetSpec, searched: Sequence[str]) -> Iterator[str]:
    """Yield the lines about a dataset of which no layout was found.

    Args:
        spec: Description of the dataset.
        searched: One line per layout that was looked for.
    """
    yield f"{spec.title}: not found. Searched for these layouts:"
    for line in searched:
        yield f"  {line}"
    yield f"Get it: {spec.download}"


def describe_report(spec: DatasetSpec, report: DatasetReport) -> dict[str, Any]:
    """Return a report on a dataset that was found as JSON."""
    summary = {"dataset": spec.name, "complete": not report.problems, "files_per_s": report.files_per_s}
    return summary | asdict(report) | {"root": str(report.root)}


def describe_absence(spec: DatasetSpec, searched: Sequence[str]) -> dict[str, Any]:
    """Return the JSON about a dataset of which no layout was found."""
    return {
        "dataset": spec.name,
        "layout": None,
        "complete": False,
        "searched": list(searched),
        "download": spec.download,
    }


def _format_problems(spec: DatasetSpec, report: DatasetReport) -> Iterator[str]:
    if not report.problems:
        yield "complete and readable"
        return
    yield f"{len(report.problems)} problem{'s' if len(report.problems) > 1 else ''}:"
    for problem in report.problems[:SHOWN_PROBLEMS]:
        yield f"  {problem.kind}: {problem.text}"
    if len(report.problems) > SHOWN_PROBLEMS:
        yield f"  and {len(report.problems) - SHOWN_PROBLEMS} more; --json lists all"
    if any(problem.kind in ("incomplete", "missing") for problem in report.problems):
        yield f"Get it: {spec.download}"


def _format_subset(subset: SubsetReport, *, is_optional: bool) -> str:
    if subset.missing:
        return f"not found{' (optional)' if is_optional else ''}, needs {', '.join(subset.missing)}"
    count = f"{subset.images} of {subset.expected} images" if subset.is_short else f"{subset.images} images"
    return f"{count}, {f'{subset.broken} broken' if subset.broken else f'fingerprint {subset.fingerprint}'}"


def _format_split(split: SplitReport) -> str:
    if split.error:
        return split.error
    return (
        f"{split.images} training images ({split.subset}), {split.with_unseen} contain an unseen class, "
        f"{split.only_unseen} contain only unseen classes"
    )


def _format_reading(report: DatasetReport) -> str:
    if report.num_cached == report.images:
        return f"no file read: all {report.images} images are in the cache ({report.seconds:.1f} s)"
    return (
        f"{2 * (report.images - report.num_cached)} files read in {report.seconds:.1f} s ({report.files_per_s:.0f} "
        f"files/s); {report.num_cached} of {report.images} images were in the cache"
    )
