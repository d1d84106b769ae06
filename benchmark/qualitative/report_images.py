"""Embedded images of a report: a few images with targets, predictions and error maps, small enough for one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.core.plan import Plan
from benchmark.core.split import Split
from benchmark.planning.resolve import load_split_of
from benchmark.qualitative.gallery import Predictor, choose_sheet
from benchmark.qualitative.overlay import ERROR_LEGEND, Labels, find_errors
from benchmark.qualitative.palette import Palette, make_palette
from benchmark.qualitative.predict import ScoredImage, ScoredImages, predict_labels
from benchmark.report.html.embedded_images import NO_IMAGES, ClassColor, EmbeddedImage, EmbeddedImages
from benchmark.report.html.score_maps import average_image_scores, choose_widest
from benchmark.report.study_results import GroupResults
from benchmark.store.store import Store

MAX_SIDE = 360
"""Pixels of the longer side of an embedded image."""
PHOTO_SIDE, JPEG_QUALITY = 128, 82
"""Side from which images are JPEG, and their quality; smaller ones are PNG."""

NOTE = (
    "The images are the {number} on which the rows differ most, with the predictions of the first done "
    "run of each row on split {split}"
)


def embed_images(
    store: Store, plan: Plan, group: GroupResults, *, count: int, predict: Predictor = predict_labels
) -> EmbeddedImages:
    """Draw the images on which the rows of a group differ most, with what one run of every row predicts.

    Args:
        store: Store that holds runs and checkpoints.
        plan: Plan of the rows.
        group: Results of the group; of several splits, the first with most done rows is drawn.
        count: Number of images.
        predict: Function that predicts images.

    Returns:
        Embedded images; none if no run is done.
    """
    parts = group.splits or (group,)
    split = max(parts, key=lambda part: sum(bool(row.done) for row in part.rows)).rows[0].split
    own = tuple(row for row in plan.rows if row.split == split)
    ids = choose_most_different(group, count)
    if not ids:
        return NO_IMAGES
    sheet = choose_sheet(store, plan.model_copy(update={"rows": own}), select=",".join(ids))
    left_out = {label: store.shorten_paths(reason) for label, reason in sheet.left_out.items()}
    images: list[ScoredImage] = []
    predictions: dict[str, Sequence[Labels]] = {}
    for row in sheet.rows:
        try:
            scored = ScoredImages(row.record.spec)
            predicted = [scored.read(image_id) for image_id in ids]
            predictions[row.label] = predict(store, row.record.spec.id, predicted)
            images = images or predicted
        except (KeyError, ValueError) as error:
            left_out[row.label] = store.shorten_paths(str(error.args[0] if error.args else error))
    if not predictions:
        return EmbeddedImages(left_out=left_out)
    split_file = load_split_of(sheet.rows[0].record.spec)
    palette = make_palette(split_file.classes, dataset_classes=scored.dataset.classes)
    return EmbeddedImages(
        by_image={
            image.image_id: _draw(image, {label: maps[at] for label, maps in predictions.items()}, split_file, palette)
            for at, image in enumerate(images)
        },
        legend=_list_legend(split_file, palette),
        errors_legend=tuple((_to_hex(entry.color), entry.text) for entry in ERROR_LEGEND),
        note=NOTE.format(number=len(images), split=split),
        left_out=left_out,
    )


def choose_most_different(group: GroupResults, count: int) -> list[str]:
    """Return the ids of the images on which the scores of the rows differ most, in the order of the images."""
    rows = [row for row in group.rows if row.done]
    if not rows:
        return []
    scores = average_image_scores(rows)
    return [rows[0].counts[0].image_ids[at] for at in choose_widest(scores, count)]


def _draw(image: ScoredImage, predictions: dict[str, Labels], split: Split, palette: Palette) -> EmbeddedImage:
    target = image.target_map
    colors = np.array([entry.color for entry in ERROR_LEGEND], dtype=np.uint8)
    errors = {label: find_errors(labels, target, split) for label, labels in predictions.items()}
    return EmbeddedImage(
        image=_encode_photo(image.rgb),
        target=_encode_map(_color(target, palette)),
        predictions={label: _encode_map(_color(labels, palette)) for label, labels in predictions.items()},
        errors={label: _encode_map(colors[values]) for label, values in errors.items()},
    )


def _color(labels: Labels, palette: Palette) -> NDArray[np.uint8]:
    """Return the (H, W, 3) colors of classes, white for no class."""
    is_class = (labels >= 0) & (labels < len(palette))
    return np.where(is_class[..., None], palette[np.where(is_class, labels, 0)], np.uint8(255))


def _encode_photo(rgb: NDArray[np.uint8]) -> str:
    thumbnail = Image.fromarray(rgb)
    thumbnail.thumbnail((MAX_SIDE, MAX_SIDE))
    if max(thumbnail.size) < PHOTO_SIDE:
        return _encode(thumbnail, "PNG")
    return _encode(thumbnail, "JPEG", quality=JPEG_QUALITY)


def _encode_map(rgb: NDArray[np.uint8]) -> str:
    thumbnail = Image.fromarray(rgb)
    thumbnail.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.NEAREST)
    return _encode(thumbnail.quantize(256, dither=Image.Dither.NONE), "PNG", optimize=True)


def _encode(thumbnail: Image.Image, kind: str, **options: int | bool) -> str:
    file = io.BytesIO()
    thumbnail.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _list_legend(split: Split, palette: Palette) -> tuple[ClassColor, ...]:
    entries = zip(split.classes, palette.tolist(), split.is_seen, strict=True)
    return tuple(ClassColor(name, _to_hex(color), not is_seen) for name, color, is_seen in entries)


def _to_hex(color: Sequence[int]) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in color)
