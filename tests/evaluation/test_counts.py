"""Tests of counts: files, merging, and totals at any gamma."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from benchmark.evaluation.counts import GAMMAS, Counts, load, merge

G = len(GAMMAS)


def make(ids: tuple[str, ...] = ("a", "b"), *, seed: int = 0) -> Counts:
    """Return random counts of three classes, the last of them unseen."""
    return counts_of(np.random.default_rng(seed).integers(0, 3, (len(ids), 3, 3)), ids=ids, seed=seed)


def counts_of(pairs: NDArray[np.int64], *, ids: tuple[str, ...] = ("a", "b"), seed: int = 0) -> Counts:
    """Return counts of these pixels by image, target and prediction, with random margins."""
    margin = np.random.default_rng(seed).integers(0, 3, (3, G + 1))
    return Counts(
        image_ids=ids,
        classes=("cat", "dog", "cow"),
        seen=(True, True, False),
        intersection=sparse.csr_array(pairs.diagonal(axis1=1, axis2=2)),
        prediction=sparse.csr_array(pairs.sum(axis=1)),
        target=sparse.csr_array(pairs.sum(axis=2)),
        margin_intersection=margin,
        margin_prediction=margin + 1,
        confusion=sparse.csr_array(pairs.sum(axis=0)),
    )


def one_pixel(bin_: int) -> Counts:
    """Return counts of one cow pixel in this margin bin; its best seen class is dog, its best unseen class cow."""
    pixel = np.zeros((1, 3, 3), dtype=np.int64)
    pixel[0, 2, 2] = 1
    margin = np.zeros((3, G + 1), dtype=np.int64)
    margin[1:, bin_] = 1
    right = margin * np.array([[0], [0], [1]])
    return replace(counts_of(pixel, ids=("a",)), margin_intersection=right, margin_prediction=margin)


def test_gamma_zero_is_exactly_on_the_grid_of_201_steps() -> None:
    assert (len(GAMMAS), GAMMAS[0], GAMMAS[100], GAMMAS[-1]) == (201, -1.0, 0.0, 1.0)
    assert np.allclose(np.diff(GAMMAS), 0.01)


def test_totals_are_the_sums_over_images() -> None:
    counts = make()
    assert counts.totals.target.tolist() == counts.target.toarray().sum(axis=0).tolist()
    assert counts.totals.intersection.dtype == np.int64


def test_a_pixel_turns_from_seen_to_unseen_once_gamma_exceeds_its_margin() -> None:
    counts = one_pixel(151)  # 151 gammas, -1 to 0.5, do not exceed the margin
    assert [array.tolist() for array in counts.count_at_gamma(0.5)] == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert [array.tolist() for array in counts.count_at_gamma(0.51)] == [[0, 0, 1], [0, 0, 1], [0, 0, 1]]


def test_the_sweep_equals_count_at_gamma_at_every_gamma() -> None:
    counts = make()
    swept = counts.sweep_gammas()
    assert swept.prediction.shape == (G, 3)
    for row in (0, 7, 100, 200):
        intersection, prediction, _ = counts.count_at_gamma(float(GAMMAS[row]))
        assert (intersection == swept.intersection[row]).all() and (prediction == swept.prediction[row]).all()


@pytest.mark.parametrize("gamma", [0.005, 1.01, -2.0, float("nan")])
def test_a_gamma_off_the_grid_is_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match="not on the grid"):
        make().count_at_gamma(gamma)


@pytest.mark.parametrize("flag", [True, False])
def test_without_a_second_group_every_gamma_gives_the_totals(flag: bool) -> None:
    counts = replace(make(), seen=(flag,) * 3)
    assert not counts.has_sweep
    assert [array.tolist() for array in counts.count_at_gamma(-0.3)] == [array.tolist() for array in counts.totals]


def test_a_saved_file_loads_unchanged(tmp_path: Path) -> None:
    counts = make(("größe/1", "z\0"))
    counts.save(tmp_path / "counts.npz")
    assert load(tmp_path / "counts.npz") == counts
    assert [path.name for path in tmp_path.iterdir()] == ["counts.npz"]


def test_counts_of_no_images_can_be_saved_and_scored(tmp_path: Path) -> None:
    make(()).save(tmp_path / "counts.npz")
    assert load(tmp_path / "counts.npz").totals.target.tolist() == [0, 0, 0]


def test_equal_counts_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make().save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with zipfile.ZipFile(tmp_path / "one") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_how_a_sparse_matrix_is_stored_does_not_change_the_digest() -> None:
    counts = counts_of(np.array([[[5, 0, 0], [0, 0, 0], [0, 0, 7]]]), ids=("a",))
    parts = (np.array([7, 0, 2, 3], dtype=np.int32), np.array([2, 1, 0, 0]), np.array([0, 4]))
    untidy = sparse.csr_array(parts, shape=(1, 3))
    assert replace(counts, target=untidy).digest() == counts.digest()


@pytest.mark.parametrize("prediction", [0, 1])
def test_one_more_pixel_changes_the_digest(prediction: int) -> None:
    pairs = np.ones((2, 3, 3), dtype=np.int64)
    before = counts_of(pairs)
    pairs[0, 0, prediction] += 1
    assert counts_of(pairs) != before


def test_one_more_pixel_in_a_margin_bin_changes_the_digest() -> None:
    counts = make()
    more = np.zeros_like(counts.margin_prediction)
    more[0, 0] = 1
    assert replace(counts, margin_prediction=counts.margin_prediction + more) != counts


def test_other_confusions_change_the_digest_even_if_all_totals_are_equal() -> None:
    cycle = np.roll(np.eye(3, dtype=np.int64), 1, axis=1)[None]  # cat as dog, dog as cow, cow as cat
    one, other = counts_of(cycle, ids=("a",)), counts_of(cycle.transpose(0, 2, 1), ids=("a",))
    assert [list(totals) for totals in one.totals] == [list(totals) for totals in other.totals]
    assert one.digest() != other.digest()


@pytest.mark.parametrize(
    "change", [{"classes": ("cat", "dog", "owl")}, {"seen": (True, False, False)}, {"image_ids": ("a", "c")}]
)
def test_another_name_changes_the_digest(change: dict[str, tuple[str, ...]]) -> None:
    assert replace(make(), **change).digest() != make().digest()  # type: ignore[arg-type]


def test_a_file_cut_short_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "counts.npz"
    make().save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"counts\.npz does not hold counts"):
            load(path)


def test_a_damaged_byte_is_detected_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "counts.npz"
    make().save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 13):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert load(path) == make()
        except ValueError as error:
            assert "does not hold counts" in str(error)


def test_a_foreign_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", values=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz does not hold counts"):
        load(tmp_path / "other.npz")


def test_a_missing_file_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "counts.npz")


def test_merged_shards_are_sorted_by_image_in_any_order_of_shards() -> None:
    one, two = make(("a", "d")), make(("b", "c"), seed=1)
    merged = merge([two, one])
    assert merged.image_ids == ("a", "b", "c", "d") and merged == merge([one, two])
    assert merged.target.toarray()[2].tolist() == two.target.toarray()[1].tolist()
    assert (merged.margin_prediction == one.margin_prediction + two.margin_prediction).all()
    assert (merged.confusion.toarray() == (one.confusion + two.confusion).toarray()).all()


def test_an_image_in_two_shards_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1 images were counted more than once, such as \['b'\]"):
        merge([make(("a", "b")), make(("b", "c"))])


def test_shards_of_different_splits_are_not_merged() -> None:
    with pytest.raises(ValueError, match="differ in their classes"):
        merge([make(("a",)), replace(make(("b",)), seen=(True, False, True))])


def test_merging_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one shard"):
        merge([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_ids": ("b", "a")}, "ascending"),
        ({"image_ids": ("a", "a")}, "different"),
        ({"image_ids": ("a",)}, r"shape \(2, 3\), expected \(1, 3\)"),
        ({"seen": (True, False)}, "2 seen flags for 3 classes"),
        ({"classes": ("cat", "cat", "cow")}, "repeat"),
        ({"margin_prediction": np.zeros((3, G))}, r"expected \(3, 202\)"),
        ({"margin_prediction": np.zeros((3, G + 1))}, "margin_intersection <= margin_prediction"),
        ({"prediction": sparse.csr_array((2, 3), dtype=np.int64)}, "prediction - intersection is -"),
        ({"confusion": sparse.csr_array((3, 2), dtype=np.int64)}, r"confusion has shape \(3, 2\), expected \(3, 3\)"),
        ({"confusion": sparse.csr_array(-np.eye(3, dtype=np.int64))}, "confusion is -1 somewhere"),
        (
            {"confusion": sparse.csr_array((3, 3), dtype=np.int64)},
            "diagonal of the confusion for class 'cat' is 0,",
        ),
    ],
)
def test_impossible_counts_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(make(), **change)  # type: ignore[arg-type]


def test_margin_counts_cannot_be_edited_in_place() -> None:
    with pytest.raises(ValueError, match="read-only"):
        make().margin_prediction[0, 0] = 5
