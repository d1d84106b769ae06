"""Selection of published rows by names."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.published.read import find_rows, read_published

ROWS = read_published()


@pytest.mark.parametrize("name", ["voc12", "VOC12", "Pascal VOC 2012", "pascal-voc_2012"])
def test_a_dataset_is_found_by_its_name_and_title_whatever_the_case(name: str) -> None:
    assert find_rows(ROWS, dataset=name) == tuple(row for row in ROWS if row.dataset == "voc12")


def test_a_split_is_found_by_our_name_and_a_benchmark_alone_by_its_own() -> None:
    both, gzss, others = (find_rows(ROWS, split=name) for name in ("voc12", "voc 2012", "voc20"))
    assert [row.id for row in both] == [row.id for row in (*gzss, *others)]
    assert {row.benchmark for row in others} == {"VOC20"}


def test_a_method_is_found_with_its_rows_from_other_sources() -> None:
    rows = find_rows(ROWS, method="zegclip", split="coco_stuff164k", setting="inductive")
    assert [row.method for row in rows] == ["ZegCLIP", "ZegCLIP (model zoo)"]


def test_filters_are_joined() -> None:
    rows = find_rows(
        ROWS, split="voc12", setting="Transductive", supervision="seen_masks+unseen_names", is_verified=True
    )
    assert {(row.split, row.traits.setting, row.is_verified) for row in rows} == {("voc12", "transductive", True)}
    assert "SPT-SEG" not in {row.method for row in rows} and len(rows) > 10
    assert find_rows(ROWS, split="A847", setting="inductive") == ()


def test_rows_without_a_setting_are_found_by_an_empty_name() -> None:
    assert {row.traits.setting for row in find_rows(ROWS, split="voc12", setting="")} == {""}


def test_rows_with_a_metric_are_found() -> None:
    rows = find_rows(ROWS, split="voc12", metric="pixel_accuracy", backbone="clip vit-b/16")
    assert rows and all("pixel_accuracy" in row.values for row in rows)


@pytest.mark.parametrize(
    ("filters", "hint"),
    [
        ({"method": "zegclp"}, "no method among published numbers 'zegclp'; did you mean 'ZegCLIP'?"),
        ({"dataset": "voc21"}, "did you mean 'voc12'?"),
        ({"split": "coco_stuf164k"}, "did you mean 'coco_stuff164k'?"),
        ({"setting": "inductve"}, "did you mean 'inductive'?"),
        ({"supervision": "seen_mask"}, "did you mean 'seen_masks'?"),
        ({"backbone": "CLIP ViT-B16"}, "did you mean 'CLIP ViT-B/16'?"),
        ({"benchmark": "VOC2"}, "did you mean 'VOC2"),
        ({"metric": "hious"}, "did you mean 'hiou'?"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(filters: dict[str, Any], hint: str) -> None:
    with pytest.raises(KeyError) as raised:
        find_rows(ROWS, **filters)
    assert hint in raised.value.args[0]
