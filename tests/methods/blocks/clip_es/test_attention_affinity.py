from __future__ import annotations

import torch
from torch import Tensor

from methods.blocks.clip_es.attention_affinity import compute_affinity, mark_boxes, spread


def draw(*rows: str) -> Tensor:
    """Return a map (1, h, w) from lines of digits, in tenths."""
    return torch.tensor([[[int(digit) / 10 for digit in row] for row in rows]])


def mark(*rows: str, threshold: float = 0.4) -> list[str]:
    marked = mark_boxes(draw(*rows), threshold=threshold)[0]
    return ["".join("#" if inside else "." for inside in row) for row in marked.tolist()]


def test_boxes_surround_components_that_touch_at_a_corner() -> None:
    assert mark("9000000", "0900000", "0000090", "0000000") == ["##.....", "##.....", ".....#.", "......."]


def test_last_row_and_last_column_are_in_no_box() -> None:
    assert mark("0009", "0000", "0900", "0909") == ["....", "....", ".#..", "...."]


def test_values_must_exceed_the_threshold() -> None:
    assert mark("9400", "0000", threshold=0.4) == ["##..", "...."]
    assert mark("9300", "0000", threshold=0.4) == ["#...", "...."]


def test_an_empty_map_has_no_box() -> None:
    assert mark("0000", "0000") == ["....", "...."]


def test_boxes_of_classes_are_independent() -> None:
    maps = torch.cat([draw("900", "000", "000"), draw("000", "090", "000")])
    assert mark_boxes(maps, threshold=0.4).flatten(1).sum(dim=1).tolist() == [1, 1]


def test_affinity_is_the_square_of_a_symmetric_matrix() -> None:
    attention = torch.rand(6, 6, generator=torch.Generator().manual_seed(0))
    affinity = compute_affinity(attention)
    torch.testing.assert_close(affinity, affinity.T)
    assert torch.linalg.eigvalsh(affinity).min() > -1e-6
    torch.testing.assert_close(compute_affinity(torch.ones(4, 4)), torch.full((4, 4), 1 / 4))


def test_nothing_is_spread_from_outside_the_boxes() -> None:
    maps = draw("900", "300", "000").flatten(1)
    affinity = torch.eye(9)
    assert spread(maps, affinity, grid=(3, 3), threshold=0.4).tolist()[0][1:] == [0] * 8
