"""`predict`: label maps, overlays and error maps of a finished run as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import format_command, format_count, open_store, print_line, print_note
from benchmark.cli.options import RunId
from benchmark.cli.out_files import make_out_folder
from benchmark.cli.progress_lines import show_image_progress
from benchmark.core.run_state import RunState
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmark.core.run_spec import RunSpec
    from benchmark.exchange.label_check import LabelCheck
    from benchmark.exchange.label_files import LabelWriter
    from benchmark.qualitative.palette import Palette
    from benchmark.qualitative.predict import ScoredImage, ScoredImages
    from benchmark.store.store import Store

FORMATS = ("ids", "palette")


def predict(
    context: typer.Context,
    run_id: RunId,
    out: Annotated[Path, make_out_folder("Folder to write to.")],
    *,
    images: Annotated[
        str, typer.Option("--images", metavar="NAME,…", help="Ids of images with commas, 'first N', or all.")
    ] = "all",
    fmt: Annotated[
        str, typer.Option("--format", help="ids (gray, 8 or 16 bits) or palette (in the colors of VOC).")
    ] = "ids",
    overlays: Annotated[
        bool, typer.Option("--overlays", help="Also write the images under the colors of their classes.")
    ] = False,
    errors: Annotated[
        bool, typer.Option("--errors", help="Also write where predictions are right, wrong and ignored.")
    ] = False,
) -> None:
    """Write the predictions of a finished run as label PNGs at the original size of the images.

    classes.json beside the label maps names their ids; `import` reads both. The exit code is 4 if pixel counts of the
    label maps differ from those of the run, as they may between a GPU and a CPU.
    """
    from benchmark.qualitative.image_choice import describe_missing_images, name_images
    from benchmark.utils.did_you_mean import explain_unknown_name

    if fmt not in FORMATS:
        raise KeyError(explain_unknown_name("format", fmt, FORMATS))
    store = open_store(context)
    spec = store.run(store.find(run_id)).read_spec()
    _check_predictable(store, spec)
    scored = _open_images(store, spec)
    selected = name_images(images, scored.ids)
    if missing := describe_missing_images(images, scored.ids):
        print_note(missing)
    palette = _make_palette(scored)
    writer = _open_writer(out.expanduser(), spec, scored, palette=palette if fmt == "palette" else None)
    writer.begin(selected)
    check = _write_all(store, writer, scored, selected, palette=palette, extras=(overlays, errors))
    raise typer.Exit(_report(store, writer, check, extras=(overlays, errors)))


def predict_row(store: Store, run_id: str, images: Sequence[ScoredImage]) -> Sequence[NDArray[np.integer]]:
    """Return the (H, W) classes that a run predicts for images; of an imported run, those of its label maps.

    Raises:
        ValueError: The run cannot predict, or its label maps are gone or changed.
    """
    from benchmark.exchange.imported_labels import read_imported_labels
    from benchmark.qualitative.predict import predict_labels

    run = store.run(run_id)
    if not run.read_spec().is_imported:
        return predict_labels(store, run_id, images)
    return read_imported_labels(run, {image.image_id: image.target_map.shape for image in images})


def _check_predictable(store: Store, spec: RunSpec) -> None:
    run = store.run(spec.id)
    state = run.read_state()
    if state is not RunState.DONE:
        raise ValueError(f"{spec.id} is {state}: only a finished run can predict")
    imported = run.read_record().imported
    if imported is not None:
        raise ValueError(f"{spec.id} was imported, so there is no method to predict; its labels: {imported.folder}")


def _open_images(store: Store, spec: RunSpec) -> ScoredImages:
    from benchmark.execution.runner import prepare_torch
    from benchmark.qualitative.predict import ScoredImages

    prepare_torch(store.run(spec.id).read_record().environment.threads)
    return ScoredImages(spec)


def _make_palette(scored: ScoredImages) -> Palette:
    from benchmark.qualitative.palette import make_palette

    return make_palette(scored.split.classes, dataset_classes=scored.dataset.classes)


def _open_writer(out: Path, spec: RunSpec, scored: ScoredImages, *, palette: Palette | None) -> LabelWriter:
    from benchmark.exchange.label_files import LabelWriter

    return LabelWriter(out, spec, scored.split, palette)


def _write_all(
    store: Store,
    writer: LabelWriter,
    scored: ScoredImages,
    image_ids: Sequence[str],
    *,
    palette: Palette,
    extras: tuple[bool, bool],
) -> LabelCheck:
    """Predict and write all images, and compare them with the counts of the run."""
    from benchmark.exchange.label_check import LabelCheck
    from benchmark.exchange.label_files import write_png
    from benchmark.qualitative.overlay import draw_errors, draw_overlay, find_errors
    from benchmark.qualitative.predict import RunPredictor

    predictor = RunPredictor(store, writer.spec)
    check = LabelCheck(store.run(writer.spec.id).read_counts())
    has_overlays, has_errors = extras
    observe = show_image_progress("predicted")
    for done, image_id in enumerate(image_ids):
        observe(done, len(image_ids))
        image = scored.read(image_id)
        labels, target = predictor.predict(image), image.target_map
        writer.write(image_id, labels)
        check.add(image_id, labels, target)
        if has_overlays:
            overlay = draw_overlay(image.rgb, labels, palette=palette, split=scored.split)
            write_png(writer.out / "overlays" / f"{image_id}.png", overlay)
        if has_errors:
            errors = draw_errors(find_errors(labels, target, scored.split))
            write_png(writer.out / "errors" / f"{image_id}.png", errors)
    return check


def _report(store: Store, writer: LabelWriter, check: LabelCheck, *, extras: tuple[bool, bool]) -> ExitCode:
    """Print what was written and whether it has the counts of the run, and return the exit code."""
    print_line(f"{format_count(check.checked, 'label map')}: {writer.names_path.parent}")
    for folder, is_written in zip(("overlays", "errors"), extras, strict=True):
        if is_written:
            print_line(f"{folder}: {writer.out / folder}")
        elif (writer.out / folder).is_dir():
            print_note(f"{writer.out / folder} is kept from an earlier call with the same run and images")
    if not check.different:
        print_line("pixel counts: identical to those of the run")
        if check.is_complete:
            print_note(f"to score them in another store: {_format_import(store, writer)}")
        return ExitCode.SUCCESS
    some = ", ".join(check.different[:3]) + (" …" if len(check.different) > 3 else "")
    print_line(f"pixel counts: {len(check.different)} of {check.checked} images differ from the run ({some})")
    print_note("the run was computed on another device, or its code changed since; see: chimera-bench show, verify")
    return ExitCode.DIFFERENT


def _format_import(store: Store, writer: LabelWriter) -> str:
    spec = writer.spec
    words = ["import", str(writer.out), "--split", spec.split_source or spec.split, "--protocol", spec.protocol.name]
    words += ["--max-images", str(spec.max_images)] if spec.max_images else []
    return f"{format_command(store, *words)} --as … --supervision …"
