"""Tests of images on a page: what is said of rows without predictions. Predictions and images are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.qualitative import report_images
from benchmark.qualitative.predict import ScoredImage
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.store.store import Store
from tests.report.world import plan_of, two_rows


def refuse(store: Store, run_id: str, images: Sequence[ScoredImage]) -> list[NDArray[np.int64]]:
    raise ValueError(f"{store.run(run_id).checkpoint_path} is missing ({len(images)} images)")


def test_reasons_hold_no_folder_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    plan = plan_of({row.label: row.ids for row in two_rows(store).rows})
    (group,) = collect_results(read_rows(store, plan)).groups
    monkeypatch.setattr(report_images, "ScoredImages", lambda _: SimpleNamespace(read=str))
    drawn = report_images.embed_images(store, plan, group, count=2, predict=refuse)
    assert len(drawn.left_out) == 2
    assert all("is missing (2 images)" in text and str(tmp_path) not in text for text in drawn.left_out.values())
