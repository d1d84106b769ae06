"""Tests of variance components against simulated random effects, and of degrees of freedom by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.evaluation.scores import Floats
from benchmark.evaluation.variation import (
    ScoreSample,
    combine_df,
    compute_upper_p,
    estimate_seed_variance,
    estimate_variance,
)


def sample_of(values: Floats) -> ScoreSample:
    """Return the sample of runs whose score is the mean of these values over their images, (n, N)."""
    images = values.shape[1]
    return ScoreSample(values.mean(axis=1), (values.sum(axis=1, keepdims=True) - values) / (images - 1))


def draw(
    rng: np.random.Generator, *, seed: float, image: float, both: float, n: int = 4, images: int = 30
) -> ScoreSample:
    effects = rng.normal(0, seed, (n, 1)) + rng.normal(0, image, (1, images))
    return sample_of(effects + rng.normal(0, both, (n, images)))


@pytest.mark.parametrize(("seed", "image", "both"), [(1.0, 0.0, 1.0), (0.1, 4.0, 2.0), (1.0, 4.0, 4.0)])
def test_the_variance_is_that_of_the_simulated_means(seed: float, image: float, both: float) -> None:
    rng = np.random.default_rng(5)
    estimates = [estimate_variance([draw(rng, seed=seed, image=image, both=both)]) for _ in range(600)]
    true = seed**2 / 4 + image**2 / 30 + both**2 / (4 * 30)
    assert np.mean([estimate.standard_error**2 for estimate in estimates]) == pytest.approx(true, rel=0.12)


def test_the_interaction_is_in_the_variance_over_seeds() -> None:
    rng = np.random.default_rng(6)
    parts = [estimate_seed_variance(draw(rng, seed=0.0, image=3.0, both=2.0)) for _ in range(600)]
    true = 2.0**2 / (4 * 30)
    assert np.mean([part.variance for part in parts]) == pytest.approx(true, rel=0.1)
    assert np.mean([part.interaction for part in parts]) == pytest.approx(true, rel=0.1)


def test_a_mean_over_images_has_the_textbook_standard_error() -> None:
    values = np.random.default_rng(7).normal(0, 1, (1, 50))
    variance = estimate_variance([sample_of(values)])
    assert variance.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    assert 15 < variance.df <= 49 and not variance.has_seeds


def test_an_image_that_decides_alone_leaves_few_degrees_of_freedom() -> None:
    values = np.zeros((1, 100))
    values[0, :2] = 50.0
    assert estimate_variance([sample_of(values)]).df < 5


def test_a_score_that_is_not_defined_without_an_image_has_an_unknown_variance() -> None:
    left_out = np.array([[1.0, 2.0, 4.0, np.nan]])
    assert estimate_variance([ScoreSample(np.array([2.0]), left_out)]).standard_error == np.inf


def test_degrees_of_freedom_are_satterthwaites_with_raised_variances() -> None:
    assert combine_df([(3.0, 4.0)]) == 4.0 and combine_df([(3.0, 4.0), (0.0, 9.0)]) == 4.0
    first, second = 2.0 * (1 + 2 / 2), 3.0 * (1 + 2 / 50)
    assert combine_df([(2.0, 2.0), (3.0, 50.0)]) == pytest.approx(
        (first + second) ** 2 / (first**2 / 2 + second**2 / 50)
    )


@pytest.mark.parametrize(("value", "p"), [(2.0, 0.0), (0.0, 0.5), (-2.0, 1.0)])
def test_without_a_standard_error_the_sign_decides(value: float, p: float) -> None:
    assert compute_upper_p(value, standard_error=0.0, df=3) == p
