"""`data`: the embedded world as files and as a picture; real data sets, checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.console import AsJson, format_duration, print_json, print_line, print_note
from benchmark.cli.prepare import prepare

if TYPE_CHECKING:
    from benchmark.data.folders.check import PartReport, Report, SplitReport
    from benchmark.data.folders.dataset_spec import DatasetInfo
    from benchmark.data.folders.discovery import Found

app = typer.Typer(help="Data sets: check and convert real ones, write or draw the embedded one.", no_args_is_help=True)
app.command("prepare")(prepare)

Part = Annotated[list[str] | None, typer.Option("--part", help="Part to write; all if not given.")]
SHOWN_PROBLEMS = 20
TELL_EVERY_S = 5.0


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="Data set, such as voc12 or coco_stuff164k.")],
    root: Annotated[
        Path | None, typer.Option("--root", help="Look in this folder, not in those of --data.", file_okay=False)
    ] = None,
    part: Annotated[list[str] | None, typer.Option("--part", help="Part to check; all if not given.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Decode every picture too.")] = False,
    layout: Annotated[str, typer.Option("--layout", help="Look for this layout only.")] = "",
    as_json: AsJson = False,
) -> None:
    """Are all files of a data set there and whole? Exit code 1 where one is not."""
    from benchmark.data.folders.check import check_dataset, looked_for
    from benchmark.data.folders.dataset_spec import load_info
    from benchmark.data.folders.discovery import data_folders

    if name == "toybox":
        raise ValueError("toybox has no files to check: it is drawn when it is needed")
    info = load_info(name)
    folders = [root] if root is not None else list(data_folders())
    if not folders:
        raise ValueError(
            f"no folder is given to look for {name} in: chimera-bench data check {name} --root DIR. {info.get}"
        )
    report = check_dataset(
        info,
        folders,
        parts=part or (),
        layout=layout,
        full=full,
        announce=_announcer(info),
        observe=_teller(),
    )
    if report is None:
        _say_absent(info, looked_for(info, folders, layout=layout), as_json=as_json)
    elif as_json:
        print_json(_as_dict(info, report))
    else:
        for line in _lines(info, report):
            print_line(line)
    raise typer.Exit(0 if report is not None and not report.problems else 1)


@app.command("speed")
def speed(
    split: Annotated[str, typer.Argument(help="Split whose training images are read.")],
    protocol: Annotated[str, typer.Option(help="Rules to read them under; the split's own if not given.")] = "",
    images: Annotated[int, typer.Option(min=16, help="Images of each of five rounds.")] = 320,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that read; 0 for none.")] = 0,
) -> None:
    """How fast training images arrive, beside bare decoding of the same files with Pillow."""
    from benchmark.core.protocol import load_protocol
    from benchmark.core.split import load_split
    from benchmark.data.catalog import open_dataset
    from benchmark.data.folders.dataset import FolderDataset
    from benchmark.execution.runner import prepare_torch
    from benchmark.profiling import data_loading as timing

    given = load_split(split)
    dataset = open_dataset(given.dataset)
    if not isinstance(dataset, FolderDataset):
        raise ValueError(f"{given.dataset} has no files: give a split of a real data set")
    rules = load_protocol(protocol or given.protocol, dataset=given.dataset)
    prepare_torch(1)
    found = timing.measure(dataset, given, protocol=rules, images=images, workers=workers)
    print_line(f"bare Pillow: {found.bare:.0f} images/s (picture and mask)")
    print_line(f"as batches:  {found.loaded:.0f} images/s under {rules.name}")
    rounds = f"{min(found.rounds):.2f} to {max(found.rounds):.2f} over {len(found.rounds)} rounds"
    print_line(f"ratio:       {found.ratio:.2f} ({rounds}), {workers or 'no'} workers")


@app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="toybox")],
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder, or one to go on with.", file_okay=False)],
    part: Part = None,
) -> None:
    """Write a procedural data set to a folder, in the layout of Pascal VOC."""
    from benchmark.data.toybox.dataset import ToyBox
    from benchmark.data.toybox.export import export_voc
    from benchmark.utils.did_you_mean import unknown_name

    if name != "toybox":
        raise KeyError(unknown_name("procedural data set", name, ["toybox"]))
    dataset = ToyBox()
    metadata = export_voc(dataset, part or dataset.parts, out, observe=_tell)
    print_line(f"{metadata.parent}: {', '.join(part or dataset.parts)}; described in {metadata.name}")


@app.command("sheet")
def sheet(
    out: Annotated[Path, typer.Option("--out", help="PNG file to write.", dir_okay=False)] = Path("toybox.png"),
    split: Annotated[str, typer.Option(help="Split whose classes are shown.")] = "toybox",
) -> None:
    """Draw every class of the toybox, with its name and whether it is seen."""
    from benchmark.core.split import load_split
    from benchmark.data.toybox.contact_sheet import write_sheet

    print_line(str(write_sheet(out, load_split(split))))


def _tell(done: int, total: int) -> None:
    if done % 500 == 0 or done == total:
        print_note(f"{done}/{total} pictures")


def _teller() -> Callable[[str, int, int], None]:
    """Says on stderr how far the check is, every few seconds."""
    told = started = time.monotonic()
    at = ""

    def tell(part: str, done: int, total: int) -> None:
        nonlocal told, started, at
        now = time.monotonic()
        if part != at:
            at, started = part, now
        elif now - told >= TELL_EVERY_S and done < total:
            told = now
            print_note(
                f"{part}: {done}/{total} images read, {format_duration((now - started) / done * (total - done))} left"
            )

    return tell


def _say_absent(info: DatasetInfo, lines: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"dataset": info.name, "layout": None, "complete": False, "looked_for": lines, "get": info.get})
        return
    print_line(f"{info.title}: nothing of it was found. Looked for, by layout:")
    for line in lines:
        print_line(f"  {line}")
    print_line(f"Get it: {info.get}")


def _announcer(info: DatasetInfo) -> Callable[[Found], None]:
    """Says what is there at once; reading it may take minutes."""

    def announce(found: Found) -> None:
        parts = [f"{part} {len(files)} of {info.counts[part]} images" for part, files in found.parts.items()]
        print_note(f"{info.title}: layout {found.layout} in {found.root}; {', '.join(parts)}; now reading them")

    return announce


def _lines(info: DatasetInfo, report: Report) -> Iterator[str]:
    yield f"{info.title}: layout {report.layout} in {report.root}"
    for part in report.parts:
        yield f"  {part.part}: {_part_words(part, part.part in info.optional)}"
    yield _speed(report)
    for one in report.splits:
        protocol = f" (protocol {one.protocol})" if one.protocol else ""
        yield f"split {one.split}{protocol}: {_split_words(one)}"
    for text in filter(None, (info.layouts[report.layout].note, info.note)):
        yield f"note: {text}"
    if not report.problems:
        yield "complete and whole"
        return
    yield f"{len(report.problems)} problem{'s' if len(report.problems) > 1 else ''}:"
    for problem in report.problems[:SHOWN_PROBLEMS]:
        yield f"  {problem.kind}: {problem.text}"
    if len(report.problems) > SHOWN_PROBLEMS:
        yield f"  and {len(report.problems) - SHOWN_PROBLEMS} more; all of them with --json"
    if any(problem.kind in ("incomplete", "missing") for problem in report.problems):
        yield f"Get it: {info.get}"


def _part_words(part: PartReport, is_optional: bool) -> str:
    if part.lacks:
        return f"not there{' (optional)' if is_optional else ''}, lacks {', '.join(part.lacks)}"
    count = f"{part.images} of {part.expected} images" if part.is_short else f"{part.images} images"
    return f"{count}, {f'{part.broken} broken' if part.broken else f'fingerprint {part.fingerprint}'}"


def _split_words(one: SplitReport) -> str:
    if one.fault:
        return one.fault
    return (
        f"{one.images} training images ({one.part}), {one.with_unseen} show an unseen class, "
        f"{one.only_unseen} only unseen ones"
    )


def _speed(report: Report) -> str:
    if report.from_cache == report.images:
        return f"no file read: all {report.images} images are known from before ({report.seconds:.1f} s)"
    return (
        f"{2 * (report.images - report.from_cache)} files read in {report.seconds:.1f} s ({report.files_per_s:.0f} "
        f"files/s); {report.from_cache} of {report.images} images known from before"
    )


def _as_dict(info: DatasetInfo, report: Report) -> dict[str, Any]:
    about = {"dataset": info.name, "complete": not report.problems, "files_per_s": report.files_per_s}
    return about | asdict(report) | {"root": str(report.root)}
