"""Segmentations of a study: predictions of its rows for a few test images, from checkpoints to a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.core.run_state import RunState
from benchmark.core.split import Split
from benchmark.core.study import Plan
from benchmark.planning.resolve import load_split_of
from benchmark.qualitative.figure import choose_images, draw_segmentations
from benchmark.qualitative.predict import ScoredImage, predict_labels, read_images
from benchmark.store.store import Store


@dataclass
class Gallery:
    """Files of a drawn gallery, and the rows that are not in it.

    Attributes:
        paths: Files.
        left_out: Reason by label of the row.
    """

    paths: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def draw_gallery(store: Store, plan: Plan, out: Path, *, count: int = 4) -> Gallery:
    """Draw image, target and the prediction of every row that has a finished run with its checkpoint.

    Args:
        store: Store that holds runs and checkpoints.
        plan: Plan of the study; the first finished run of each row is drawn.
        out: Folder of the files.
        count: Number of images; they are chosen by their targets alone.
    """
    gallery = Gallery()
    predictions: dict[str, list[NDArray[np.int64]]] = {}
    images: list[ScoredImage] = []
    split: Split | None = None
    for row in plan.rows:
        run_id = next((run_id for run_id in row.ids.values() if store.run(run_id).read_state() is RunState.DONE), None)
        if run_id is None:
            gallery.left_out[row.label] = "no run of it is done"
            continue
        try:
            record = store.run(run_id).read_record()
            images = images or read_images(
                record.spec, choose_images(store.run(run_id).read_counts(record), count=count)
            )
            predictions[row.label] = predict_labels(store, run_id, images)
            split = split or load_split_of(record.spec)
        except ValueError as error:
            gallery.left_out[row.label] = str(error)
    if split is not None:
        gallery.paths = _draw(images, predictions, split, out=out)
    return gallery


def _draw(
    images: Sequence[ScoredImage], predictions: Mapping[str, list[NDArray[np.int64]]], split: Split, *, out: Path
) -> list[Path]:
    return draw_segmentations(
        [image.rgb for image in images],
        [image.target_map for image in images],
        predictions,
        classes=split.classes,
        is_seen=split.is_seen,
        out=out,
        name="segmentations",
    )
