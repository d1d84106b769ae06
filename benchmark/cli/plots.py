"""`plot`: figures made from run records, without torch unless images are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import open_store, print_line, print_note
from benchmark.cli.out_files import Overwrite, check_new_figures, make_out_folder
from benchmark.cli.report_options import (
    GIVE_KEY,
    Baseline,
    BySplit,
    Convention,
    Names,
    Sort,
    SplitFilter,
    find_plan,
    print_ambiguous,
    read_option,
    split_keys,
)
from benchmark.cli.reports import GIVE_ROW, collect_table

if TYPE_CHECKING:
    from benchmark.core.plan import Plan
    from benchmark.store.store import Store


def plot(
    context: typer.Context,
    names: Names,
    out: Annotated[Path, make_out_folder("Folder to write to.")],
    *,
    split: SplitFilter = None,
    convention: Convention = "d2-main",
    baseline: Baseline = None,
    by_split: BySplit = False,
    sort: Sort = None,
    formats: Annotated[
        str | None, typer.Option("--format", "-f", metavar="KEY,…", help="png, pdf and svg; default: png,pdf.")
    ] = None,
    images: Annotated[
        bool, typer.Option("--images", help="Also draw segmentations, predicted from checkpoints.")
    ] = False,
    select: Annotated[
        str | None,
        typer.Option(
            "--select",
            metavar="WHICH",
            help="Images to draw segmentations of, implies --images: targets (the default), 'difference:ROW' (largest "
            "difference from the baseline), 'first N', or ids with commas.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw the figures of studies, methods and runs; of splits that are kept apart, each in a folder of its own."""
    store = open_store(context)
    plan = find_plan(store, names, split)
    reference = read_option("--baseline", baseline, GIVE_ROW)
    order = read_option("--sort", sort, GIVE_KEY)
    keys = split_keys("--format", formats)
    chosen = read_option("--select", select, "give targets, 'difference:ROW', 'first N', or ids with commas")
    parts: Sequence[Plan] = ()
    if images or chosen:  # without segmentations, torch is not imported
        from benchmark.qualitative.drawn_splits import choose_drawn_splits

        parts = choose_drawn_splits(
            store, plan, is_by_split=by_split, select=chosen, baseline=reference, notify=print_note
        )
        if not overwrite:
            check_new_figures(_list_sheets(parts, out, keys))
    draw = partial(write_figures, store, plan, out, convention=convention, baseline=reference, sort=order)
    for path in draw(formats=keys, is_by_split=by_split, is_overwritten=overwrite):
        print_line(str(path))
    if parts:
        for path in _write_galleries(store, parts, out, select=chosen, baseline=reference, formats=keys):
            print_line(str(path))
    print_ambiguous(store, names)


def write_figures(
    store: Store,
    plan: Plan,
    out: Path,
    *,
    convention: str = "d2-main",
    baseline: str = "",
    sort: str = "",
    formats: Sequence[str] = (),
    is_by_split: bool = False,
    is_overwritten: bool = True,
) -> list[Path]:
    """Draw the figures of a study that need only its records, print what is left out, and return the files."""
    from benchmark.report.figures.study_figures import describe_left_out, draw_figures, list_figures
    from benchmark.report.figures.style import FORMATS, check_formats
    from benchmark.report.tables.selection import select_columns

    check_formats(formats)
    columns = select_columns((), sort=sort)
    results = collect_table(store, plan, columns, convention=convention, baseline=baseline, is_by_split=is_by_split)
    if not is_overwritten:
        check_new_figures(list_figures(results, out, formats or FORMATS))
    out.mkdir(parents=True, exist_ok=True)
    for text in describe_left_out(results):
        print_note(text)
    drawn = draw_figures(results, store, out, formats=formats or FORMATS)
    for text in drawn.left_out:
        print_note(text)
    return drawn.paths


def write_segmentations(store: Store, plan: Plan, out: Path) -> list[Path]:
    """Draw predictions for a few images, print which rows are left out, and return the files."""
    from benchmark.qualitative.drawn_splits import choose_drawn_splits

    return _write_galleries(store, choose_drawn_splits(store, plan, notify=print_note), out)


def _write_galleries(
    store: Store,
    parts: Sequence[Plan],
    out: Path,
    *,
    select: str = "",
    baseline: str = "",
    formats: Sequence[str] = (),
) -> list[Path]:
    """Draw predictions on every split of `choose_drawn_splits`, see `write_segmentations`."""
    from benchmark.cli.predict import predict_row
    from benchmark.qualitative.gallery import draw_gallery
    from benchmark.report.figures.style import FORMATS

    paths: list[Path] = []
    for part, folder in zip(parts, _list_sheet_folders(parts, out), strict=True):
        gallery = draw_gallery(
            store,
            part,
            folder,
            select=select,
            baseline=baseline,
            predict=predict_row,
            formats=formats or FORMATS,
        )
        paths += gallery.paths
        for label, reason in gallery.left_out.items():
            print_note(f"no segmentations of {label}: {reason}")
        if gallery.choice is not None:
            print_note(gallery.choice.text)
    return paths


def _list_sheets(parts: Sequence[Plan], out: Path, formats: Sequence[str]) -> list[Path]:
    """Return the files that `_write_galleries` may write."""
    from benchmark.qualitative.gallery import SEGMENTATIONS
    from benchmark.report.figures.style import FORMATS, list_paths

    folders = _list_sheet_folders(parts, out)
    return [path for folder in folders for path in list_paths(folder, SEGMENTATIONS, formats or FORMATS)]


def _list_sheet_folders(parts: Sequence[Plan], out: Path) -> list[Path]:
    """Return the folder of the segmentations on every split."""
    from benchmark.report.figures.study_figures import name_folders

    if len(parts) == 1:
        return [out]
    return [out / name for name in name_folders([part.rows[0].split for part in parts])]
