from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.evaluation.scores import compute_gamma_curve, score
from benchmark.report.slim_counts import read_slim_counts
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from tests.report.world import even, save, spec_of


@pytest.fixture
def runs(tmp_path: Path) -> list[RunFolder]:
    store = Store(tmp_path)
    return [store.run(save(store, spec_of(seed=seed), even(80, 60 + seed))) for seed in (0, 1)]


def test_slim_counts_give_every_score_of_whole_ones(runs: list[RunFolder]) -> None:
    whole, slim = runs[0].read_counts(), read_slim_counts(runs[0], runs[0].read_record())
    assert slim == whole and slim.digest() == whole.digest() and slim.is_labels_only == whole.is_labels_only
    assert score(slim, "d2-main") == score(whole, "d2-main")
    np.testing.assert_array_equal(compute_gamma_curve(slim, "d2-main"), compute_gamma_curve(whole, "d2-main"))


def test_slim_counts_hold_no_margins_and_share_names_and_labels(runs: list[RunFolder]) -> None:
    first, second = (read_slim_counts(run, run.read_record()) for run in runs)
    assert not {"margin_intersection", "margin_prediction"} & vars(first).keys()
    assert first.image_ids is second.image_ids and first.target is second.target
    assert first != second


def test_counts_that_were_replaced_in_the_meantime_are_refused(runs: list[RunFolder]) -> None:
    slim = read_slim_counts(runs[0], runs[0].read_record())
    runs[0].counts_path.write_bytes(runs[1].counts_path.read_bytes())
    with pytest.raises(ValueError, match="copy the folder again"):
        slim.sweep_gammas()
