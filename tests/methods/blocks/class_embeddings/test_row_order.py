"""Checks of the row order of embedding files."""

from __future__ import annotations

import pytest

from benchmark.core.split import load_split
from methods.blocks.class_embeddings.embedding_table import EmbeddingTable, read_embedding_table
from methods.blocks.class_embeddings.row_order import (
    check_against_text_encoder,
    check_row_order,
    find_related_pairs,
)
from tests.methods.blocks.class_embeddings.vectors import REAL, make_families, needs_real, rotate_rows


def test_names_that_share_a_word_are_related() -> None:
    names = ["wall-brick", "brick", "floor-other", "sky-other", "Wall of stone"]
    assert find_related_pairs(names) == [(0, 1), (0, 4)]


@pytest.mark.parametrize("by", [1, 2, 13])
def test_rotated_rows_are_detected_without_a_text_encoder(by: int) -> None:
    table = make_families(3, 5, 4, 7, 2, 6)
    check_row_order(table)
    with pytest.raises(ValueError, match=f"rotated by {by};"):
        check_row_order(rotate_rows(table, by))


def test_the_order_of_few_related_names_is_not_judged() -> None:
    table = make_families(3, 4, 5)
    assert len(find_related_pairs(table.names)) == 3 + 6 + 10
    check_row_order(rotate_rows(table, 1))


@needs_real
def test_rotated_rows_of_a_real_file_are_detected_by_a_text_encoder() -> None:
    voc = read_embedding_table(str(REAL / "voc12_single.npy"), "voc12")
    check_against_text_encoder(voc, voc)
    with pytest.raises(
        ValueError, match=r"row 0, 'aeroplane', is most similar to this CLIP's embedding of 'tvmonitor'"
    ):
        check_against_text_encoder(rotate_rows(voc, 1), voc)


@needs_real
def test_wrong_orders_of_a_real_file_are_detected_without_a_text_encoder() -> None:
    coco = read_embedding_table(str(REAL / "coco_multi.npy"), "coco_stuff164k")
    unseen = load_split("coco_stuff164k").unseen
    check_row_order(coco)
    orders = [sorted(coco.names), sorted(coco.names, key=lambda name: name in unseen)]  # the latter is ZegFormer's
    for names in [*orders, coco.names[1:] + coco.names[:1]]:
        with pytest.raises(ValueError, match="another order than the names"):
            check_row_order(EmbeddingTable(coco.file, tuple(names), coco.table))
