"""Both ways to find the best classes give the same scores and, of equal scores, the first class."""

from __future__ import annotations

import pytest
import torch

from benchmark.core import best_classes
from benchmark.core.best_classes import find_best_classes

GROUPS = ([0, 3, 4, 9], [1, 8, 7])


def make_chunks() -> list[torch.Tensor]:
    """Return chunks of the maps of ten classes, with many equal scores."""
    scores = torch.randint(0, 4, (10, 9, 11), generator=torch.Generator().manual_seed(0)).float()
    return list(scores.split([4, 4, 2]))


def test_the_first_of_the_best_classes_of_each_group_is_found() -> None:
    maps = torch.cat(make_chunks())
    for group, (value, label) in zip(GROUPS, find_best_classes(make_chunks(), GROUPS), strict=True):
        ids = torch.tensor(sorted(group))
        assert torch.equal(value, maps[ids].amax(dim=0)) and label.dtype is torch.long
        assert torch.equal(label, ids[(maps[ids] == value).int().argmax(dim=0)])


def test_all_maps_of_a_chunk_at_once_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one = find_best_classes(make_chunks(), GROUPS)
    monkeypatch.setattr(best_classes, "_list_classes", best_classes._list_group_bests)
    at_once = find_best_classes(make_chunks(), GROUPS)
    assert all(torch.equal(*pair) for a, b in zip(one_by_one, at_once, strict=True) for pair in zip(a, b, strict=True))
