"""`data`: check and convert real datasets; write or draw the built-in synthetic one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import print_columns, print_json, print_line, print_note
from benchmark.cli.loading_peers import make_peers
from benchmark.cli.options import AsJson
from benchmark.cli.out_files import Overwrite, make_out_file, make_out_folder
from benchmark.cli.prepare import prepare
from benchmark.cli.renamed import RenamingGroup
from benchmark.utils.durations import format_duration
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.data.folders.dataset_spec import DatasetSpec
    from benchmark.data.folders.discovery import DatasetLocation

app = typer.Typer(
    cls=RenamingGroup,
    help="Check, convert and write datasets.",
    no_args_is_help=True,
)
app.command("prepare")(prepare)

PROGRESS_EVERY_S = 5.0
PROGRESS_EVERY_IMAGES = 500


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="Dataset, such as voc12 or coco_stuff164k.")],
    root: Annotated[
        Path | None, typer.Option("--root", help="Search this folder instead of those of --data.", file_okay=False)
    ] = None,
    subset: Annotated[list[str] | None, typer.Option("--subset", help="Subset to check; default: all.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Also decode every image.")] = False,
    layout: Annotated[str, typer.Option("--layout", help="Search for this layout only.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check that a dataset is complete and readable. Exit code 1 if it is not."""
    from benchmark.cli import check_report as text
    from benchmark.data.folders.check import check_dataset, describe_search
    from benchmark.data.folders.dataset_spec import load_dataset_spec

    if name == "toybox":
        raise ValueError("toybox is generated on demand: it has no files to check")
    spec = load_dataset_spec(name)
    folders = _get_folders(spec, root)
    report = check_dataset(
        spec,
        folders,
        subsets=subset or (),
        layout=layout,
        full=full,
        on_found=_make_announcer(spec),
        on_progress=_make_observer(),
    )
    if report is None:
        searched = describe_search(spec, folders, layout=layout)
        lines, as_dict = text.format_absence(spec, searched), text.describe_absence(spec, searched)
    else:
        lines, as_dict = text.format_report(spec, report), text.describe_report(spec, report)
    if as_json:
        print_json(as_dict)
    else:
        print_line("\n".join(lines))
    raise typer.Exit(ExitCode.ERROR if report is None or report.problems else ExitCode.SUCCESS)


@app.command("speed")
def speed(
    split: Annotated[str, typer.Argument(help="Split whose training images are read.")],
    protocol: Annotated[str, typer.Option(help="Protocol to read them under; default: the split's.")] = "",
    images: Annotated[int, typer.Option(min=16, help="Images in each of five rounds.")] = 320,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Data-loading workers; 0 for none.")] = 0,
) -> None:
    """Measure data loading against bare Pillow decoding, and beside the pipelines of other frameworks.

    Those are the steps of mmsegmentation's, if OpenCV is installed, and Detectron2's mapper, if Detectron2 is.
    """
    from benchmark.core.protocol import load_protocol
    from benchmark.core.split import load_split
    from benchmark.data.catalog import open_dataset
    from benchmark.data.folders.dataset import FolderDataset
    from benchmark.execution.runner import prepare_torch
    from benchmark.profiling.data_loading import measure_loading_speed

    loaded_split = load_split(split)
    dataset = open_dataset(loaded_split.dataset)
    if not isinstance(dataset, FolderDataset):
        raise ValueError(f"{loaded_split.dataset} has no files to read: name a split of a real dataset")
    rules = load_protocol(protocol or loaded_split.protocol, dataset=loaded_split.dataset)
    prepare_torch(1)
    peers = make_peers(rules.train)
    result = measure_loading_speed(dataset, loaded_split, protocol=rules, images=images, peers=peers, workers=workers)
    kind = "second" if workers else "second of processor time"
    print_line(f"{rules.name}, images with masks per {kind}, {workers or 'no'} workers")
    rows = [
        [name, f"{result.compute_rate(name):.0f}", f"{median(ratios):.2f}", f"{min(ratios):.2f} to {max(ratios):.2f}"]
        for name in result.rates
        for ratios in [result.compute_ratios(name)]
    ]
    print_columns(("pipeline", "images/s", "of bare Pillow", "rounds"), rows)


@app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="toybox")],
    out: Annotated[Path, make_out_folder("New or empty folder, or the folder of an interrupted call.")],
    subset: Annotated[list[str] | None, typer.Option("--subset", help="Subset to write; default: all.")] = None,
) -> None:
    """Write the synthetic dataset in the layout of Pascal VOC."""
    from benchmark.data.toybox.dataset import ToyBox
    from benchmark.data.toybox.export import export_voc
    from benchmark.utils.did_you_mean import explain_unknown_name

    if name != "toybox":
        raise KeyError(explain_unknown_name("synthetic dataset", name, ["toybox"]))
    dataset = ToyBox()
    metadata = export_voc(dataset, subset or dataset.subsets, out, on_progress=_note_images)
    print_line(f"{metadata.parent}: {', '.join(subset or dataset.subsets)}; described in {metadata.name}")


@app.command("contact-sheet")
def contact_sheet(
    out: Annotated[Path, make_out_file(text="PNG file to write.")] = Path("toybox.png"),
    split: Annotated[str, typer.Option(help="Split that says which classes are seen.")] = "toybox",
    overwrite: Overwrite = False,
) -> None:
    """Draw every toybox class, seen and unseen, with its name."""
    from benchmark.core.split import load_split
    from benchmark.data.toybox.contact_sheet import write_contact_sheet

    print_line(str(write_contact_sheet(out, load_split(split))))


def _get_folders(spec: DatasetSpec, root: Path | None) -> list[Path]:
    """Return the folders to search for a dataset.

    Raises:
        ValueError: There is no data folder.
    """
    from benchmark.data.folders.discovery import list_data_folders

    folders = [root] if root is not None else list(list_data_folders())
    if not folders:
        advice = "give --root DIR, or --data DIR before `data check`"
        raise ValueError(f"{spec.name} needs a data folder: {advice}. Get it: {spec.download}")
    return folders


def _note_images(done: int, total: int) -> None:
    if done % PROGRESS_EVERY_IMAGES == 0 or done == total:
        print_note(f"{done}/{total} images")


def _make_observer() -> Callable[[str, int, int], None]:
    """Return an observer of `check_dataset` that prints its progress to stderr every few seconds."""
    noted = started = time.monotonic()
    current = ""

    def observe(subset: str, done: int, total: int) -> None:
        nonlocal noted, started, current
        now = time.monotonic()
        if subset != current:
            current, started = subset, now
        elif now - noted >= PROGRESS_EVERY_S and done < total:
            noted = now
            left = format_duration((now - started) / done * (total - done))
            print_note(f"{subset}: {done}/{total} images read, {left} left")

    return observe


def _make_announcer(spec: DatasetSpec) -> Callable[[DatasetLocation], None]:
    """Return a callback that prints what was found before the files are read, which may take minutes."""

    def announce(location: DatasetLocation) -> None:
        subsets = [
            f"{subset} {len(files)} of {spec.image_counts[subset]} images" for subset, files in location.subsets.items()
        ]
        print_note(
            f"{spec.title}: layout {location.layout} in {location.root}; {', '.join(subsets)}; now reading the files"
        )

    return announce
