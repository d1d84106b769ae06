"""Tests of the gallery: rows that are drawn_gallery, and reasons for those left out. Predictions are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split
from benchmark.core.types import Sample
from benchmark.qualitative import gallery
from benchmark.qualitative.predict import ScoredImage
from benchmark.store.store import Store
from tests.report.world import CLASSES, even, plan_of, save, spec_of

SPLIT = Split(name="hand", dataset="toybox", classes=CLASSES, unseen=CLASSES[2:])


def _make_images(_spec: RunSpec, image_ids: Sequence[str]) -> list[ScoredImage]:
    sample = Sample(image=torch.zeros(3, 4, 4), height=4, width=4, file_name="", image_id="")
    return [ScoredImage(sample, torch.ones(4, 4, dtype=torch.long)) for _ in image_ids]


def _make_labels(_store: Store, run_id: str, images: Sequence[ScoredImage]) -> list[NDArray[np.int64]]:
    if "no-sgd" in run_id:
        raise ValueError("no checkpoint")
    return [np.zeros((4, 4), dtype=np.int64) for _ in images]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(gallery, "read_images", _make_images)
    monkeypatch.setattr(gallery, "predict_labels", _make_labels)
    monkeypatch.setattr(gallery, "load_split_of", lambda _: SPLIT)
    return Store(tmp_path / "runs")


def test_rows_without_predictions_are_left_out_with_the_reason(store: Store, tmp_path: Path) -> None:
    rows = {label: {0: save(store, spec_of(label), even(80, 60))} for label in ("paper", "no SGD")}
    plan = plan_of(rows | {"no SAM": {0: "never run"}})
    drawn_gallery = gallery.draw_gallery(store, plan, tmp_path / "out", count=2)
    assert drawn_gallery.left_out == {"no SGD": "no checkpoint", "no SAM": "no run of it is done"}
    assert "segmentations.png" in [path.name for path in drawn_gallery.paths]
    assert all(path.is_file() for path in drawn_gallery.paths)


def test_nothing_is_drawn_without_finished_runs(store: Store, tmp_path: Path) -> None:
    drawn_gallery = gallery.draw_gallery(store, plan_of({"paper": {0: "never run"}}), tmp_path / "out")
    assert drawn_gallery.paths == [] and not (tmp_path / "out").exists()


def test_the_choice_of_images_is_known_and_errors_of_it_reach_the_user(store: Store, tmp_path: Path) -> None:
    rows = {
        label: {0: save(store, spec_of(label), even(right, 60))} for label, right in (("paper", 80), ("no SAM", 70))
    }
    drawn = gallery.draw_gallery(store, plan_of(rows), tmp_path / "out", select="difference:no SAM", formats=["png"])
    assert drawn.choice is not None and drawn.choice.image_ids == ["image00", "image01", "image02", "image03"]
    assert [path.name for path in drawn.paths] == ["segmentations.png"]
    with pytest.raises(KeyError, match="no row with a finished run 'SAM'"):
        gallery.draw_gallery(store, plan_of(rows), tmp_path / "out", select="difference:SAM")


def test_a_row_on_other_data_is_left_out(store: Store, tmp_path: Path) -> None:
    rows = {
        "paper": {0: save(store, spec_of("paper"), even(80, 60))},
        "no SAM": {0: save(store, spec_of("no SAM", dataset_fingerprint="other"), even(80, 60))},
    }
    drawn = gallery.draw_gallery(store, plan_of(rows), tmp_path / "out")
    assert drawn.left_out == {"no SAM": "it has another split or other data than 'paper'"}


def test_the_sheet_says_of_which_seeds_it_is(store: Store, tmp_path: Path) -> None:
    rows = {
        label: {seed: save(store, spec_of(label, seed=seed), even(right, 60)) for seed in seeds}
        for label, right, seeds in (("paper", 80, (1, 2)), ("no SAM", 70, (1, 2)), ("late", 60, (2,)))
    }
    first = {label: rows[label] for label in ("paper", "no SAM")}
    choice = gallery.choose_sheet(store, plan_of(first)).choice
    assert choice is not None and choice.text == (
        "split toybox; images chosen by their targets alone; predictions are those of one run per row, seed 1"
    )
    drawn = gallery.draw_gallery(store, plan_of(rows), tmp_path, select="difference:late", formats=["png"])
    assert drawn.choice is not None and drawn.choice.text.endswith(
        "; points and predictions are those of one run per row, seeds 1 (paper), 1 (no SAM), 2 (late)"
    )


@pytest.mark.parametrize("name", ["demo/paper", "Paper", "demo/paper [sgd.weight=2]"])
def test_a_difference_takes_the_baseline_by_the_names_that_tables_take(store: Store, name: str) -> None:
    labels = ("no SAM", "paper [sgd.weight=2]")
    plan = plan_of({label: {0: save(store, spec_of(label), even(80, 60))} for label in labels})
    choice = gallery.choose_sheet(store, plan, select="difference:no SAM", baseline=name).choice
    assert choice is not None and "from 'paper [sgd.weight=2]'" in choice.text
