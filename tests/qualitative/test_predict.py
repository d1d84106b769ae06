"""Tests that a finished run, rebuilt from its checkpoint, predicts as it did when it was scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.core.run_state import RunState
from benchmark.execution.runner import execute
from benchmark.planning.resolve import resolve
from benchmark.qualitative.predict import ScoredImages, predict_labels, read_images
from benchmark.store.store import Store
from tests.engine.runs import small_spec


def test_predictions_equal_those_that_were_counted(tmp_path: Path) -> None:
    spec, store = small_spec(), Store(tmp_path)
    assert execute(spec, store=store).state == RunState.DONE
    counts = store.run(spec.id).read_counts()
    images = read_images(spec, counts.image_ids)
    maps = predict_labels(store, spec.id, images)
    for row, (image, labels) in enumerate(zip(images, maps, strict=True)):
        assert image.rgb.shape == (*labels.shape, 3)
        predicted = np.bincount(labels[image.target_map != 255], minlength=len(counts.classes))
        assert predicted.tolist() == counts.prediction[[row]].toarray()[0].tolist()


@pytest.mark.parametrize(
    ("method", "extras"),
    [("clip_es", {"tags"}), ("clip_points", {"points", "points_uv", "points_valid"}), ("naclip", set())],
)
def test_images_have_what_the_method_of_the_run_gets(method: str, extras: set[str]) -> None:
    (image,) = read_images(resolve(method, split="toybox", seed=0, max_images=1), ["000000"])
    assert {"tags", "points", "points_uv", "points_valid", "captions"} & set(image.sample) == extras


def test_a_trained_run_without_its_checkpoint_cannot_predict(tmp_path: Path) -> None:
    spec, store = small_spec(budget__iterations=1), Store(tmp_path)
    execute(spec, store=store)
    store.run(spec.id).checkpoint_path.unlink()
    with pytest.raises(ValueError, match=r"checkpoint .*checkpoint.pt is missing"):
        predict_labels(store, spec.id, [])


def test_a_run_that_trains_nothing_predicts_without_a_checkpoint(tmp_path: Path) -> None:
    spec, store = small_spec(budget__iterations=0), Store(tmp_path)
    execute(spec, store=store)
    images = read_images(spec, ScoredImages(spec).ids)
    expected = predict_labels(store, spec.id, images)
    store.run(spec.id).checkpoint_path.unlink()
    for labels, same in zip(predict_labels(store, spec.id, images), expected, strict=True):
        assert (labels == same).all()


def test_only_images_that_were_scored_can_be_read() -> None:
    with pytest.raises(KeyError, match="no image 'nowhere'"):
        read_images(small_spec(), ["nowhere"])
