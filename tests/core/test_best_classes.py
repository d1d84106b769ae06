"""Both ways to find the best classes give the same scores and, of equal scores, the first class."""

from __future__ import annotations

import pytest
import torch

from benchmark.core import best_classes
from benchmark.core.best_classes import find_best_classes

GROUPS = ([0, 3, 4, 9], [1, 8, 7])  # no class of the second one is in the chunk of classes 2 to 6


def make_chunks(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Return chunks of the maps of ten classes, with many equal scores."""
    scores = torch.randint(-4, 0, (10, 9, 11), generator=torch.Generator().manual_seed(0))
    return list(scores.to(dtype).split([2, 5, 3]))


@pytest.fixture(params=["one tile", "small tiles", "all pixels at once"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "small tiles":
        monkeypatch.setattr(best_classes, "TILE_SCORES", 64)
    if request.param == "all pixels at once":
        monkeypatch.setattr(best_classes, "_compare_tiles", best_classes._compare_maps)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_first_of_the_best_classes_of_each_group_is_found(dtype: torch.dtype) -> None:
    maps = torch.cat(make_chunks(dtype))
    for group, value, label in zip(GROUPS, *find_best_classes(make_chunks(dtype), GROUPS), strict=True):
        ids = torch.tensor(sorted(group), dtype=torch.int32)
        assert torch.equal(value.to(dtype), maps[ids].amax(dim=0))
        assert torch.equal(label, ids[(maps[ids] == value).int().argmax(dim=0)])


def test_groups_may_have_more_classes_than_a_byte_has_values() -> None:
    scores = torch.zeros(600, 2, 3)
    scores[[250, 255, 256, 257, 599]] = 1
    best = find_best_classes([scores], [range(251, 600), range(251)])
    assert best.labels[:, 0, 0].tolist() == [255, 250]


def test_scores_are_not_changed() -> None:
    chunks = make_chunks()
    find_best_classes(chunks, GROUPS)
    assert all(torch.equal(a, b) for a, b in zip(chunks, make_chunks(), strict=True))
