"""What trained methods make of a few test images: from checkpoints to a sheet of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.core.run_state import RunState
from benchmark.core.split import Split
from benchmark.core.study import Plan
from benchmark.planning.resolve import split_of
from benchmark.qualitative.figure import choose_images, draw_sheet
from benchmark.qualitative.predict import Scene, predict_labels, read_scenes
from benchmark.store.store import Store


@dataclass
class Gallery:
    """What was drawn, and which rows are not in it.

    Attributes:
        paths: files.
        left_out: reason by label of the row.
    """

    paths: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def draw_gallery(store: Store, plan: Plan, out: Path, *, count: int = 4) -> Gallery:
    """Draw image, truth and the prediction of every row that has a finished run with its checkpoint.

    Args:
        store: where runs and checkpoints lie.
        plan: whose rows; of each the first finished run.
        out: folder of the files.
        count: images; chosen by their truth alone.
    """
    gallery = Gallery()
    maps: dict[str, list[NDArray[np.int64]]] = {}
    scenes: list[Scene] = []
    split: Split | None = None
    for row in plan.rows:
        run_id = next((run_id for run_id in row.ids.values() if store.run(run_id).read_state() is RunState.DONE), None)
        if run_id is None:
            gallery.left_out[row.label] = "no run of it is done"
            continue
        try:
            spec = store.run(run_id).read_record().spec
            scenes = scenes or read_scenes(spec, choose_images(store.run(run_id).read_counts(), count=count))
            maps[row.label] = predict_labels(store, run_id, scenes)
            split = split or split_of(spec)
        except ValueError as error:
            gallery.left_out[row.label] = str(error)
    if split is not None:
        gallery.paths = _draw(scenes, maps, split, out=out)
    return gallery


def _draw(
    scenes: Sequence[Scene], maps: Mapping[str, list[NDArray[np.int64]]], split: Split, *, out: Path
) -> list[Path]:
    return draw_sheet(
        [scene.picture for scene in scenes],
        [scene.labels for scene in scenes],
        maps,
        classes=split.classes,
        is_seen=split.is_seen,
        out=out,
        name="segmentations",
    )
