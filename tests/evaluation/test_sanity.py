"""Tests of the alarms: silent on honest confusions, loud on mixed-up class ids, chance and classes never predicted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from benchmark.evaluation.alarm import Alarm, describe_details
from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.evaluation.sanity import compute_chance, find_alarms

K, IMAGES = 8, 12
Pixels = NDArray[np.int64]


def counts_of(pairs: Pixels, *, unseen: int = 2) -> Counts:
    """Return counts of these pixels by image, target and prediction; the last classes are unseen."""
    size = pairs.shape[1]
    none = np.zeros((size, len(GAMMAS) + 1), dtype=np.int64)
    return Counts(
        image_ids=tuple(f"{number:02}" for number in range(len(pairs))),
        classes=tuple("abcdefghijklmnop"[:size]),
        seen=tuple(k < size - unseen for k in range(size)),
        intersection=sparse.csr_array(pairs.diagonal(axis1=1, axis2=2)),
        prediction=sparse.csr_array(pairs.sum(axis=1)),
        target=sparse.csr_array(pairs.sum(axis=2)),
        margin_intersection=none,
        margin_prediction=none,
        confusion=sparse.csr_array(pairs.sum(axis=0)),
    )


def honest(right: float = 0.7, *, images: int = IMAGES, seed: int = 0) -> Pixels:
    """Return pixels of which a share is right; the others are spread over all classes by chance."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(50, 400, (images, K))
    shares = right * np.eye(K) + (1 - right) * draw.dirichlet(np.full(K, 0.5), K)
    return np.stack([[draw.multinomial(n, share) for n, share in zip(row, shares, strict=True)] for row in sizes])


def summaries(pairs: Pixels) -> list[str]:
    return [alarm.summary for alarm in find_alarms(counts_of(pairs))]


def describe(pairs: Pixels) -> list[tuple[str, str]]:
    return [(alarm.summary, alarm.detail) for alarm in find_alarms(counts_of(pairs))]


@pytest.mark.parametrize("right", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("seed", range(20))
def test_honest_results_are_silent(right: float, seed: int) -> None:
    assert summaries(honest(right, seed=seed)) == []


@pytest.mark.parametrize("shift", [1, -1, 3])
def test_shifted_ids_are_found(shift: int) -> None:
    alarm = find_alarms(counts_of(np.roll(honest(), shift, axis=2)))[0]
    assert alarm.summary == f"predicted class ids look shifted by {shift:+d}"


def test_a_background_class_in_front_of_the_others_is_found() -> None:
    pairs = np.roll(honest(), 1, axis=2)
    pairs[:, :, -1] += pairs[:, :, 0]
    pairs[:, :, 0] = 0
    assert summaries(pairs)[0] == "predicted class ids look shifted by +1"


def test_two_exchanged_ids_are_found_and_named() -> None:
    alarms = find_alarms(counts_of(honest()[:, :, [0, 2, 1, 3, 4, 5, 6, 7]]))
    assert [alarm.summary for alarm in alarms] == ["predicted class ids look exchanged"]
    assert alarms[0].detail.startswith("b as c, c as b; mIoU 5")


def test_ids_that_are_shifted_from_one_class_on_are_found() -> None:
    pairs = honest()
    pairs[:, :, 3:] = np.roll(pairs[:, :, 3:], 1, axis=2)
    assert summaries(pairs)[0] == "predicted class ids look exchanged"


def test_ids_in_another_order_are_found() -> None:
    assert summaries(honest()[:, :, [5, 2, 0, 7, 1, 3, 4, 6]])[0] == "predicted class ids look exchanged"


def test_a_class_taken_for_another_is_no_exchange() -> None:
    pairs = honest(0.9)
    pairs[:, 7, 6] += pairs[:, 7, 7]  # all of h as g, but g as g
    pairs[:, 7, 7] = 0
    assert not any("ids" in text for text in summaries(pairs))


def test_two_classes_that_are_confused_with_each_other_are_no_exchange() -> None:
    pairs = honest(0.9)
    half = pairs[:, [6, 7], [6, 7]] * 2 // 3
    pairs[:, [6, 7], [6, 7]] -= half
    pairs[:, [6, 7], [7, 6]] += half
    assert summaries(pairs) == []


def test_confusions_in_a_few_images_are_no_sign() -> None:
    assert summaries(honest(images=4)[:, :, [0, 2, 1, 3, 4, 5, 6, 7]]) == []


def test_classes_that_are_never_predicted_are_named_and_counted() -> None:
    pairs = honest()
    pairs[:, :, 0] += pairs[:, :, 1:5].sum(axis=2)
    pairs[:, :, 1:5] = 0
    alarm = find_alarms(counts_of(pairs))[-1]
    assert (alarm.summary, alarm.detail) == ("classes that occur are never predicted", "b, c, d and 1 more")


def test_a_group_that_is_never_predicted_is_one_alarm() -> None:
    pairs = honest()
    pairs[:, :, 0] += pairs[:, :, 6:].sum(axis=2)
    pairs[:, :, 6:] = 0
    assert describe(pairs) == [("no unseen class is ever predicted", "in the target: 2")]


def test_a_constant_prediction_is_one_alarm() -> None:
    pairs = np.zeros((IMAGES, K, K), dtype=np.int64)
    pairs[:, :, 3] = 10
    assert describe(pairs) == [("every pixel is predicted as the same class", "d")]


def classify(pairs: Pixels, *, images: int) -> Pixels:
    """Return pixels whose first images are predicted as their most frequent class everywhere."""
    changed = pairs.copy()
    for image in changed[:images]:
        pixels = image.sum(axis=1)
        image[:] = 0
        image[:, pixels.argmax()] = pixels
    return changed


def test_images_that_are_classified_and_not_segmented_are_found() -> None:
    found = ("images of several classes are predicted as one class each", f"{IMAGES - 1} of {IMAGES} images")
    assert found in describe(classify(honest(), images=IMAGES - 1))
    assert found[0] not in summaries(classify(honest(), images=IMAGES - 2))


def test_images_of_one_class_or_too_few_images_are_no_sign_of_classified_images() -> None:
    one_class = np.stack([np.diag(row) for row in 100 * np.eye(K, dtype=np.int64)])
    assert summaries(one_class) == []
    assert not [text for text in summaries(classify(honest(images=4), images=4)) if "one class each" in text]


def test_what_holds_for_classes_in_enough_images_alone_says_so() -> None:
    pairs = honest()
    pairs[:, :, 0] += pairs[:, :, 7]
    pairs[:, :, 7] = 0
    pairs[4:, 6] = 0  # g is in four images, and predicted there
    assert describe(pairs) == [("no unseen class in 5 or more images is ever predicted", "1 of 2 classes")]
    pairs[:, 7, 7] = 5
    ((summary, detail),) = describe(pairs)
    assert summary == "mIoU of the unseen classes in 5 or more images is near chance" and "; 1 of 2 classes" in detail


def test_rare_classes_that_are_never_predicted_either_are_not_named_and_no_longer_passed_over() -> None:
    pairs = honest()
    pairs[:, :, 0] += pairs[:, :, 1] + pairs[:, :, 2]
    pairs[:, :, 1:3] = 0
    pairs[4:, 2] = 0
    assert describe(pairs)[-1] == ("classes that occur in 5 or more images are never predicted", "b")


def test_the_details_of_several_runs_are_ranges_and_all_names_that_occur() -> None:
    alarms = [Alarm("x", "{} of {}", (score, 3), names) for score, names in ((0.04, ("a", "b")), (4.5, ("b", "c")))]
    assert describe_details(alarms) == "one or more of b, a, c; 0.0 to 4.5 of 3"
    assert describe_details(alarms[:1] * 2) == alarms[0].detail == "a, b; 0.0 of 3"


@pytest.mark.parametrize("seed", range(5))
def test_predictions_that_do_not_depend_on_the_image_are_near_chance(seed: int) -> None:
    near = [f"mIoU of the {group} classes is near chance" for group in ("seen", "unseen")]
    draw = np.random.default_rng(seed)
    shares = draw.dirichlet(np.full(K, 3.0))
    assert summaries(draw.multinomial(100, shares, (IMAGES, K))) == near


def test_chance_is_the_best_of_four_blind_predictions() -> None:
    target, both = np.array([60, 40]), np.array([True, True])
    drawn = (0.36 / (1.2 - 0.36) + 0.16 / (0.8 - 0.16)) / 2  # with the frequencies of the targets
    assert compute_chance(target, target, both) == pytest.approx(drawn)
    assert compute_chance(target, np.array([100, 0]), both) == pytest.approx(max(drawn, 0.3))
    only = np.array([True, False])
    assert compute_chance(target, target, only) == pytest.approx(0.6)


def test_counts_without_a_labeled_pixel_give_no_alarm() -> None:
    assert find_alarms(counts_of(np.zeros((2, K, K), dtype=np.int64))) == []
