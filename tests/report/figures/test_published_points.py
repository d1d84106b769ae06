"""Tests of published points: only from the same split, and marked as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.protocol_class import ProtocolClass
from benchmark.core.split import load_split
from benchmark.published.read import read_published
from benchmark.report.figures.published_points import MAX_POINTS, PublishedPoints, collect_published
from benchmark.report.figures.seen_unseen import draw_scatter
from benchmark.report.rows import find_shared_setting, read_rows
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of

INDUCTIVE = ProtocolClass(supervision="seen_masks", setting="inductive", vocabulary="all")


def collect(store: Store, *, traits: ProtocolClass = INDUCTIVE, **changes: Any) -> PublishedPoints:
    """Return the published points beside one row on voc12."""
    place: dict[str, Any] = {"split": "voc12", "split_digest": load_split("voc12").digest()}
    run = save(store, spec_of(**place | changes), even(80, 60), traits=traits)
    rows = read_rows(store, plan_of({"row": {0: run}}))
    return collect_published(rows, find_shared_setting(rows))


def test_points_are_the_best_published_ones_on_the_split_and_setting_of_the_rows(tmp_path: Path) -> None:
    points = collect(Store(tmp_path))
    fitting = [row for row in read_published() if row.split == "voc12" and row.traits.setting == "inductive"]
    pairs = {(row.values.get("miou_seen"), row.values.get("miou_unseen")) for row in fitting}
    assert len(points.points) == MAX_POINTS and all((point.seen, point.unseen) in pairs for point in points.points)
    assert points.heading.startswith("published, not run here\n12 of ")
    assert any(point.label == "ZegCLIP (2023)  84.3" for point in points.points)


@pytest.mark.parametrize(
    "changes",
    [{"split": "toybox"}, {"split_digest": "other"}, {"max_images": 4}, {"traits": ProtocolClass(vocabulary="image")}],
)
def test_other_splits_contents_images_and_vocabularies_have_no_points(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert collect(Store(tmp_path), **changes).points == ()


def test_the_figure_marks_published_points_in_its_legend(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    rows = read_rows(store, plan_of({"row": {0: save(store, spec_of(), even(80, 60))}}))
    bare, marked = (
        draw_scatter(rows, tmp_path / name, published=points, formats=["svg"])[0].read_text()
        for name, points in (("one", PublishedPoints((), "")), ("two", collect(Store(tmp_path / "voc"))))
    )
    assert "published, not run here" in marked and "published" not in bare
