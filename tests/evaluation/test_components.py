"""Tests of variance components against an analysis of variance by hand, and of the interval of a share."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmark.evaluation.components import estimate_components
from benchmark.evaluation.score_samples import DifferenceSample
from benchmark.evaluation.scores import Floats
from benchmark.evaluation.sides import Side
from benchmark.evaluation.variation import ScoreSample
from tests.evaluation.split_runs import even_sides, iou, pool, table_sides

SIDES = Side({}), Side({})


def sample_of(differences: Floats, *, images: int = 5) -> DifferenceSample:
    """Return paired differences on a split, (seeds,), that all images share."""
    sample = ScoreSample(differences, np.repeat(differences[:, None], images, axis=1))
    return DifferenceSample(SIDES, "seeds", (sample,), (float(differences.mean()), 0.0), True)


def test_components_are_those_of_a_balanced_mixed_model() -> None:
    rng = np.random.default_rng(3)
    rights = rng.integers(40, 61, (5, 3, 7)) + rng.integers(0, 9, (5, 1, 7)) + 3 * np.arange(7)
    rights += np.array([0, 12, 3, 20, 8])[:, None, None] + rng.integers(0, 9, (5, 3, 1))
    parts = pool(table_sides(rights), table_sides(np.full((5, 3, 7), 50)), metric="pixel_accuracy").components
    seeds, cells = rights.mean(axis=2), rights.mean(axis=1)
    splits, images = cells.mean(axis=1), cells.mean(axis=0)
    # Mean squares of splits, seeds in splits, images, and their interactions with the images
    of_split, of_seed, of_image = 21 * splits.var(ddof=1), 7 * seeds.var(axis=1, ddof=1).mean(), 15 * images.var(ddof=1)
    split_image = 3 * ((cells - splits[:, None] - images + rights.mean()) ** 2).sum() / (4 * 6)
    run_image = ((rights - seeds[:, :, None] - cells[:, None] + splits[:, None, None]) ** 2).sum() / (5 * 2 * 6)
    expected = (of_split - of_seed - split_image + run_image) / 21, (of_seed - run_image) / 7
    assert parts is not None and (parts.splits, parts.seeds) == pytest.approx(expected)
    per_image = (of_image - split_image) / 15 + (split_image - run_image) / 3 + run_image
    assert parts.images == pytest.approx(per_image / 7)


def test_splits_with_one_run_take_the_seed_noise_of_the_others() -> None:
    rights = ((70, 76), (60, 64), (75,), (68,))
    other = tuple((60,) * len(own) for own in rights)
    parts = pool(even_sides(rights), even_sides(other)).components
    noise = (np.var([iou(70), iou(76)], ddof=1) + np.var([iou(60), iou(64)], ddof=1)) / 2
    values = [(iou(70) + iou(76)) / 2, (iou(60) + iou(64)) / 2, iou(75), iou(68)]
    expected = np.var(values, ddof=1) - noise * (1 / 2 + 1 / 2 + 1 + 1) / 4
    assert parts is not None and (parts.splits, parts.seeds) == pytest.approx((expected, noise))


def test_a_deterministic_method_adds_no_seed_noise() -> None:
    rights = ((70, 76, 71), (60, 64, 69), (75, 80, 70))
    parts = pool(even_sides(rights), even_sides([[60]] * 3, is_deterministic=True)).components
    noise = np.mean([np.var([iou(right) for right in own], ddof=1) for own in rights])
    assert parts is not None and parts.seeds == pytest.approx(noise)


def test_a_single_run_against_several_has_their_noise() -> None:
    rights = ((70, 76, 71), (60, 64, 69), (75, 80, 70))
    parts = pool(even_sides(rights), even_sides([[60], [66], [61]])).components
    noise = np.mean([np.var([iou(right) for right in own], ddof=1) for own in rights])
    values = [np.mean([iou(right) for right in own]) - iou(one) for own, one in zip(rights, (60, 66, 61), strict=True)]
    expected = max(0.0, np.var(values, ddof=1) - noise * (1 + 1 / 3))
    assert parts is not None and (parts.splits, parts.seeds) == pytest.approx((expected, 2 * noise))


def test_without_several_runs_splits_and_seeds_cannot_be_told_apart() -> None:
    pooled = pool(even_sides([[70], [60], [80]]), even_sides([[60], [61], [62]]))
    assert pooled.components is not None and pooled.components.share_interval is None
    assert (pooled.components.splits, pooled.components.seeds, pooled.split_share) == (None, None, None)


def test_no_component_is_negative_and_a_share_of_nothing_is_not_a_number() -> None:
    parts = estimate_components([sample_of(np.array([-9.0, 9.0])), sample_of(np.array([-8.0, 8.0]))])
    assert (parts.splits, parts.split_sd, parts.split_share) == (0.0, 0.0, 0.0)
    assert parts.share_interval is None  # no share makes differences vary so little
    nothing = estimate_components([sample_of(np.zeros(2)), sample_of(np.zeros(2))])
    assert nothing.split_share is not None and math.isnan(nothing.split_share)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_interval_of_the_share_covers_it_as_often_as_promised(share: float) -> None:
    rng = np.random.default_rng(int(10 * share))
    covered = 0
    for _ in range(200):
        effects = rng.normal(0, math.sqrt(share), (12, 1)) + rng.normal(0, math.sqrt(1 - share), (12, 3))
        interval = estimate_components([sample_of(row) for row in effects]).share_interval
        assert interval is not None
        covered += interval[0] <= share <= interval[1]
    assert 180 <= covered <= 199  # 190 expected; about three standard deviations to each side


def test_splits_of_a_large_share_are_found() -> None:
    rng = np.random.default_rng(0)
    effects = rng.normal(0, 3, (400, 1)) + rng.normal(0, 1, (400, 3))
    parts = estimate_components([sample_of(row) for row in effects])
    assert parts.split_sd == pytest.approx(3, abs=0.35) and parts.seeds == pytest.approx(1, abs=0.2)
