"""Tests of scores without each image against scoring the other images."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import Mock

import numpy as np
import pytest
from scipy import sparse

from benchmark.evaluation import jackknife
from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.evaluation.image_scores import compute_unrounded_scores
from benchmark.evaluation.jackknife import ImageJackknife, leave_out_scores
from benchmark.evaluation.scores import DATASET_METRICS, METRICS, Metric, score
from tests.evaluation.synthetic_runs import counts_of, make, score_rows


def test_leaving_out_an_image_equals_scoring_the_others() -> None:
    run = make(0.6, images=12)
    expected = [score_rows(run, [row for row in range(12) if row != left]) for left in range(12)]
    assert leave_out_scores(run, metrics=["hiou"], convention="d2-0.6")["hiou"] == pytest.approx(expected)


def test_scores_do_not_depend_on_how_images_are_chunked(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = leave_out_scores(make(0.6), metrics=DATASET_METRICS, convention="mmseg")
    monkeypatch.setattr(jackknife, "CHUNK_PIXELS", 3 * 7)
    parts = leave_out_scores(make(0.6), metrics=DATASET_METRICS, convention="mmseg")
    assert {metric: scores.tolist() for metric, scores in parts.items()} == {k: v.tolist() for k, v in whole.items()}


def test_scores_that_are_asked_for_together_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Mock(wraps=jackknife.leave_out_scores)
    monkeypatch.setattr(jackknife, "leave_out_scores", counted)
    run = make(0.6)
    metrics: tuple[Metric, ...] = ("miou_seen", "hiou")
    shared = ImageJackknife(metrics)
    for metric in (*metrics, "hiou"):
        shared.leave_out(run, metric=metric, convention="d2-main")
    counted.assert_called_once_with(run, metrics=metrics, convention="d2-main")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("compute_unrounded_scores", ImageJackknife.compute_score),
        ("score_metrics", ImageJackknife.compute_printed_score),
    ],
)
def test_scores_of_all_images_are_computed_once_and_are_those_of_the_run(
    name: str, method: Callable[..., float], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, run = Mock(wraps=getattr(jackknife, name)), make(0.6)
    expected = getattr(jackknife, name)(run, metrics=METRICS, convention="mmseg")
    monkeypatch.setattr(jackknife, name, counted)
    shared = ImageJackknife(METRICS)
    assert {metric: method(shared, run, metric=metric, convention="mmseg") for metric in METRICS} == expected
    counted.assert_called_once_with(run, metrics=METRICS, convention="mmseg")


def test_another_convention_and_another_run_have_scores_of_their_own() -> None:
    shared = ImageJackknife()
    first = shared.leave_out(make(0.6), metric="miou", convention="d2-main")
    absent = counts_of(np.array([[5, 5, 0], [5, 5, 0], [5, 4, 0]]), np.array([[6, 5, 0], [6, 6, 0], [7, 5, 0]]))
    main = shared.leave_out(absent, metric="miou", convention="d2-main")
    assert len(first) == 40 and not np.array_equal(main, shared.leave_out(absent, metric="miou", convention="d2-0.6"))
    assert not np.array_equal(first, shared.leave_out(make(0.5), metric="miou", convention="d2-main"))


def test_no_convention_rounds_the_scores_without_an_image() -> None:
    rounded, plain = (leave_out_scores(make(0.6), metrics=METRICS, convention=name) for name in ("mmseg", "d2-0.6"))
    assert {metric: values.tolist() for metric, values in rounded.items()} == {k: v.tolist() for k, v in plain.items()}


def test_a_vocabulary_of_thousands_of_classes_fits() -> None:
    images, classes = 20, 5000
    target = sparse.csr_array((np.full(images, 9), (np.arange(images), np.arange(images) * 7)), shape=(images, classes))
    none = np.zeros((classes, len(GAMMAS) + 1), dtype=np.int64)
    ids, names = (tuple(f"{index:05}" for index in range(number)) for number in (images, classes))
    confusion = sparse.diags_array(target.toarray().sum(axis=0), format="csr", dtype=np.int64)
    run = Counts(ids, names, (True,) * classes, target, target, target, none, none, confusion)
    scores = leave_out_scores(run, metrics=["miou", "miou_class_worst_1"], convention="d2-main")
    assert all((values == 100.0).all() for values in scores.values())


def test_scores_that_were_printed_before_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run, shared = make(0.6), ImageJackknife(DATASET_METRICS)
    expected = compute_unrounded_scores(run, metrics=["hiou"], convention="d2-main")["hiou"]
    shared.keep(run, score(run, "d2-main"), {}, convention="d2-main")
    for name in ("compute_unrounded_scores", "score_metrics"):
        monkeypatch.setattr(jackknife, name, Mock(side_effect=AssertionError))
    for method in (shared.compute_score, shared.compute_printed_score):
        assert method(run, metric="hiou", convention="d2-main") == expected


def test_a_printed_score_that_is_rounded_stands_for_no_other() -> None:
    run, shared = make(0.6), ImageJackknife(DATASET_METRICS)
    shared.keep(run, score(run, "mmseg"), {}, convention="mmseg")
    assert shared.compute_printed_score(run, metric="miou", convention="mmseg") == score(run, "mmseg").miou
    assert shared.compute_score(run, metric="miou", convention="mmseg") == score(run, "d2-0.6").miou
