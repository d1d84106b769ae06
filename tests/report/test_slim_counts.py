"""Slim counts give every score of whole ones, read what they lack from the file, and notice every change of it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from benchmark.evaluation.counts import MARGINS, SPARSE, Counts
from benchmark.evaluation.scores import compute_gamma_curve, score
from benchmark.report import slim_counts
from benchmark.report.slim_counts import read_slim_counts
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.npz import read_npz, to_npz
from tests.report.world import even, save, spec_of


@pytest.fixture
def runs(tmp_path: Path) -> list[RunFolder]:
    store = Store(tmp_path)
    return [store.run(save(store, spec_of(seed=seed), even(80, 60 + seed))) for seed in (0, 1)]


def read_slim(run: RunFolder) -> Counts:
    """Return the counts of a run as another process gives them."""
    counts: Counts = pickle.loads(pickle.dumps(read_slim_counts(run, run.read_record())))
    return counts


def test_slim_counts_give_every_score_of_whole_ones(runs: list[RunFolder]) -> None:
    whole, slim = runs[0].read_counts(), read_slim(runs[0])
    assert slim == whole and slim.digest() == whole.digest() and slim.is_labels_only == whole.is_labels_only
    assert score(slim, "d2-main") == score(whole, "d2-main")
    np.testing.assert_array_equal(compute_gamma_curve(slim, "d2-main"), compute_gamma_curve(whole, "d2-main"))


@pytest.mark.parametrize("name", SPARSE)
def test_matrices_of_slim_counts_are_those_of_whole_ones(runs: list[RunFolder], name: str) -> None:
    slim, whole = (getattr(counts, name).toarray() for counts in (read_slim(runs[0]), runs[0].read_counts()))
    np.testing.assert_array_equal(slim, whole)


def test_slim_counts_hold_labels_and_names_alone_and_share_them(runs: list[RunFolder]) -> None:
    first, second = map(read_slim, runs)
    assert not ({*SPARSE, *MARGINS} - {"target"}) & vars(first).keys()
    assert first.image_ids is second.image_ids and first.target is second.target
    assert first != second


def test_sums_over_images_travel_to_another_process(runs: list[RunFolder]) -> None:
    received = vars(read_slim(runs[0]))["totals"]
    assert [sums.tolist() for sums in received] == [sums.tolist() for sums in runs[0].read_counts().totals]


def test_counts_that_this_process_has_read_need_no_file(runs: list[RunFolder]) -> None:
    counts, whole = read_slim_counts(runs[0], runs[0].read_record()), runs[0].read_counts()
    runs[0].counts_path.unlink()
    assert counts.margin_prediction.tolist() == whole.margin_prediction.tolist()
    np.testing.assert_array_equal(counts.intersection.toarray(), whole.intersection.toarray())


def test_counts_that_were_replaced_in_the_meantime_are_refused(runs: list[RunFolder]) -> None:
    slim = read_slim(runs[0])
    runs[0].counts_path.write_bytes(runs[1].counts_path.read_bytes())
    with pytest.raises(ValueError, match="copy the folder again"):
        slim.sweep_gammas()


def test_a_file_is_read_once_and_again_once_for_all_that_was_left_there(
    runs: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Mock(wraps=read_npz)
    monkeypatch.setattr(slim_counts, "read_npz", read)
    monkeypatch.delattr(RunFolder, "read_counts")
    slim = read_slim(runs[0])
    assert read.call_count == 1
    assert slim.margin_prediction.shape == slim.margin_intersection.shape and slim.confusion.nnz
    assert read.call_count == 2


def test_counts_of_another_process_share_what_those_of_this_one_share(runs: list[RunFolder]) -> None:
    first, second = (read_slim_counts(run, run.read_record()) for run in runs)
    received = read_slim(runs[1])
    assert received == second and received.image_ids is first.image_ids and received.target is first.target


@pytest.mark.parametrize("name", ["intersection_data", "margin_prediction"])
def test_one_other_number_in_a_file_is_refused(runs: list[RunFolder], name: str) -> None:
    arrays = read_npz(runs[0].counts_path.read_bytes())
    arrays[name] = arrays[name] + 1
    runs[0].counts_path.write_bytes(to_npz(arrays))
    with pytest.raises(ValueError, match="copy"):
        read_slim_counts(runs[0], runs[0].read_record())


def test_counts_that_were_stored_in_another_form_are_the_same(runs: list[RunFolder]) -> None:
    slim, arrays = read_slim(runs[0]), read_npz(runs[0].counts_path.read_bytes())
    arrays["confusion_indices"] = arrays["confusion_indices"].astype(np.int32)
    runs[0].counts_path.write_bytes(to_npz(arrays))
    assert read_slim_counts(runs[0], runs[0].read_record()) == slim
    assert slim.confusion.nnz


def test_large_numbers_keep_their_bits(tmp_path: Path) -> None:
    store, counts = Store(tmp_path), even(80, 60)
    large = replace(
        counts,
        **{name: getattr(counts, name) * 2**30 for name in ("intersection", "prediction", "target", "confusion")},
    )
    folder = store.run(save(store, spec_of(), large))
    assert read_slim(folder).totals.target.tolist() == large.totals.target.tolist()
