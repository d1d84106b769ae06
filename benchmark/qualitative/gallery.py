"""Segmentations of a study: predictions of its rows for a few test images, from checkpoints to a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmark.core.plan import Plan
from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState
from benchmark.core.split import Split
from benchmark.evaluation.counts import Counts
from benchmark.planning.resolve import load_split_of
from benchmark.qualitative.figure import draw_segmentations
from benchmark.qualitative.predict import ScoredImage, predict_labels, read_images
from benchmark.qualitative.sheet_choice import DIFFERENCE, SheetChoice, choose_for_sheet
from benchmark.report.figures.style import FORMATS
from benchmark.store.store import Store

SEGMENTATIONS = "segmentations"
"""Stem of the files of a gallery."""
Predictor: TypeAlias = Callable[[Store, str, Sequence[ScoredImage]], Sequence[NDArray[np.integer]]]
"""Function from a store, the id of a run and images to one (H, W) map of classes per image; it raises ValueError if the
run cannot predict."""


@dataclass
class Gallery:
    """Files of a drawn gallery, and the rows that are not in it.

    Attributes:
        paths: Files.
        left_out: Reason by label of the row.
        choice: Images, and how they were chosen; None if nothing is drawn.
    """

    paths: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    choice: SheetChoice | None = None


@dataclass(frozen=True)
class DrawnRow:
    """The run of a row that is drawn."""

    label: str
    record: RunRecord
    counts: Counts


@dataclass(frozen=True)
class Sheet:
    """What a gallery will show, before anything is predicted.

    Attributes:
        rows: Rows with a finished run.
        choice: Images, and how they were chosen; None if there are no rows.
        left_out: Reason by label of the other rows.
    """

    rows: tuple[DrawnRow, ...]
    choice: SheetChoice | None
    left_out: dict[str, str]


def choose_sheet(store: Store, plan: Plan, *, count: int = 4, select: str = "", baseline: str = "") -> Sheet:
    """Choose rows and images of a gallery, see `draw_gallery`; nothing is drawn.

    Raises:
        KeyError: `select` or `baseline` names an unknown row or image.
        ValueError: No image can be chosen as asked.
    """
    left_out: dict[str, str] = {}
    rows = tuple(_find_finished(store, plan, left_out))
    if not rows:
        return Sheet(rows, None, left_out)
    counts = {row.label: row.counts for row in rows}
    reference = _find_label(rows, baseline or plan.baseline)
    choice = choose_for_sheet(select, counts, baseline=reference, count=count)
    subject = "points and predictions" if select.startswith(DIFFERENCE) else "predictions"
    seeds = describe_seeds(rows)
    text = f"split {rows[0].record.spec.split}; {choice.text}"
    text += f"; {subject} are those of one run per row, {seeds}" if seeds else ""
    return Sheet(rows, choice._replace(text=text), left_out)


def _find_label(rows: Sequence[DrawnRow], name: str) -> str:
    """Return the label of the one row that is called LABEL or METHOD/LABEL, also without overrides; else the name."""
    wanted = name.strip().casefold()
    for has_overrides in (True, False):
        labels = {row.label: row.label if has_overrides else row.label.partition(" [")[0] for row in rows}
        found = [
            row.label
            for row in rows
            if wanted in (labels[row.label].casefold(), f"{row.record.spec.method}/{labels[row.label]}".casefold())
        ]
        if len(found) == 1:
            return found[0]
    return name


def describe_seeds(rows: Sequence[DrawnRow]) -> str:
    """Return the seeds of the runs that are drawn; empty if all were imported."""
    seeds = {row.label: row.record.spec.seed for row in rows if not row.record.spec.is_imported}
    if len(set(seeds.values())) > 1:
        return "seeds " + ", ".join(f"{seed} ({label})" for label, seed in seeds.items())
    return f"seed {next(iter(seeds.values()))}" if seeds else ""


def draw_gallery(
    store: Store,
    plan: Plan,
    out: Path,
    *,
    count: int = 4,
    select: str = "",
    baseline: str = "",
    predict: Predictor | None = None,
    formats: Sequence[str] = FORMATS,
) -> Gallery:
    """Draw image, target and the prediction of every row that has a finished run which can predict.

    Args:
        store: Store that holds runs and checkpoints.
        plan: Plan of rows on one split; the first finished run of each row is drawn.
        out: Folder of the files.
        count: Number of images, unless they are named.
        select: Choice of the images, see `choose_for_sheet`; the figure says how they were chosen.
        baseline: Label of the row that a difference is taken from; if empty, the plan's or the first.
        predict: Function that predicts images; `predict_labels` if None.
        formats: Any of "png", "pdf", "svg".

    Raises:
        KeyError: `select` or `baseline` names an unknown row or image.
        ValueError: No image can be chosen as asked.
    """
    sheet = choose_sheet(store, plan, count=count, select=select, baseline=baseline)
    gallery = Gallery(left_out=sheet.left_out, choice=sheet.choice)
    if sheet.choice is None:
        return gallery
    split, images = load_split_of(sheet.rows[0].record.spec), list[ScoredImage]()
    predictions: dict[str, Sequence[NDArray[np.integer]]] = {}
    for row in sheet.rows:
        try:
            own = read_images(row.record.spec, sheet.choice.image_ids)
            predictions[row.label] = (predict or predict_labels)(store, row.record.spec.id, own)
            images = images or own
        except (KeyError, ValueError) as error:
            gallery.left_out[row.label] = str(error.args[0] if error.args else error)
    if predictions:
        gallery.paths = _draw(images, predictions, split, choice=sheet.choice, out=out, formats=formats)
    return gallery


def _find_finished(store: Store, plan: Plan, left_out: dict[str, str]) -> list[DrawnRow]:
    """Return the first finished run of every row, on the data of the first one, and note why others have none."""
    rows: list[DrawnRow] = []
    for row in plan.rows:
        run_id = next((run_id for run_id in row.ids.values() if store.run(run_id).read_state() is RunState.DONE), None)
        if run_id is None:
            left_out[row.label] = "no run of it is done"
            continue
        try:
            record = store.run(run_id).read_record()
            counts = store.run(run_id).read_counts(record)
        except ValueError as error:
            left_out[row.label] = str(error)
            continue
        if rows and _get_data(record) != _get_data(rows[0].record):
            left_out[row.label] = f"it has another split or other data than {rows[0].label!r}"
            continue
        rows.append(DrawnRow(row.label, record, counts))
    return rows


def _get_data(record: RunRecord) -> tuple[str, str]:
    return record.spec.split_digest, record.spec.dataset_fingerprint


def _draw(
    images: Sequence[ScoredImage],
    predictions: Mapping[str, Sequence[NDArray[np.integer]]],
    split: Split,
    *,
    choice: SheetChoice,
    out: Path,
    formats: Sequence[str],
) -> list[Path]:
    return draw_segmentations(
        [image.rgb for image in images],
        [image.target_map for image in images],
        predictions,
        classes=split.classes,
        is_seen=split.is_seen,
        image_ids=choice.image_ids,
        note=choice.text,
        out=out,
        name=SEGMENTATIONS,
        formats=formats,
    )
