"""Tests of the counter against hand-counted images and a slow recount in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmark.core import lazy_scores
from benchmark.core.lazy_scores import LowResPrediction
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import GAMMAS, Counts, Totals, merge

CLASSES = ("cat", "dog", "cow", "owl")
SEEN = (True, False, True, False)
Image = tuple[Tensor, Tensor]


def count(images: list[Image], *, seen: tuple[bool, ...] = SEEN) -> Counts:
    counter = Counter(CLASSES[: len(seen)], seen)
    for number, (scores, target) in enumerate(images):
        counter.update(scores, target, image_id=f"{number:03}")
    return counter.compute()


def scores_of(labels: list[list[int]], *, classes: int = 4) -> Tensor:
    """Return (K, H, W) logits whose argmax is `labels`."""
    return torch.nn.functional.one_hot(torch.tensor(labels), classes).permute(2, 0, 1).float()


def lists(totals: Totals) -> list[list[int]]:
    return [array.tolist() for array in totals]


def predict_slowly(scores: list[float], gamma: float, *, seen: tuple[bool, ...]) -> int:
    """Return the class of one pixel at gamma, computed from the definition."""
    ids = range(len(scores))
    if gamma == 0 or all(seen) or not any(seen):
        return max(ids, key=scores.__getitem__)
    total = sum(math.exp(score - max(scores)) for score in scores)
    p = [math.exp(score - max(scores)) / total for score in scores]
    best_seen = max((k for k in ids if seen[k]), key=scores.__getitem__)
    best_unseen = max((k for k in ids if not seen[k]), key=scores.__getitem__)
    return best_seen if p[best_seen] - p[best_unseen] >= gamma else best_unseen


def recount(images: list[Image], gamma: float, *, seen: tuple[bool, ...] = SEEN) -> list[list[int]]:
    """Return intersection, prediction and target, counted pixel by pixel."""
    both, predicted, true = ([0] * len(seen) for _ in range(3))
    for scores, target in images:
        for y, x in np.ndindex(*target.shape):
            label = int(target[y, x])
            if label == 255:
                continue
            label_at_gamma = predict_slowly(scores[:, y, x].tolist(), gamma, seen=seen)
            predicted[label_at_gamma] += 1
            true[label] += 1
            both[label] += label_at_gamma == label
    return [both, predicted, true]


def random_images(number: int, *, seed: int, scale: float = 1.0) -> list[Image]:
    """Return images of 6 x 5 pixels with float64 logits and a fifth of the labels 255."""
    draw = torch.Generator().manual_seed(seed)
    images = []
    for _ in range(number):
        labels = torch.tensor([0, 1, 2, 3, 255])[torch.randint(0, 5, (6, 5), generator=draw)]
        images.append((scale * torch.randn(4, 6, 5, generator=draw, dtype=torch.float64), labels))
    return images


def test_a_hand_counted_image() -> None:
    counts = count([(scores_of([[0, 1], [2, 2]]), torch.tensor([[0, 2], [2, 255]]))])
    assert lists(counts.totals) == [[1, 0, 1, 0], [1, 1, 1, 0], [1, 0, 2, 0]]


def test_the_confusion_counts_pixels_by_target_and_prediction() -> None:
    counts = count([(scores_of([[0, 1], [2, 2]]), torch.tensor([[0, 2], [2, 255]]))] * 2)
    assert counts.confusion.toarray().tolist() == [[2, 0, 0, 0], [0, 0, 0, 0], [0, 2, 2, 0], [0, 0, 0, 0]]


def test_the_confusion_is_counted_at_the_gamma_of_the_counter() -> None:
    counter = Counter(CLASSES, SEEN, gamma=0.4)
    counter.update(torch.tensor([1.0, 0.9, -9, -9])[:, None, None], torch.tensor([[1]]), image_id="a")
    assert counter.compute().confusion.toarray()[1].tolist() == [0, 1, 0, 0]


def test_every_labeled_pixel_is_counted_once() -> None:
    images = random_images(3, seed=0)
    counts, labeled = count(images), sum(int((target != 255).sum()) for _, target in images)
    assert counts.prediction.sum() == counts.target.sum() == labeled
    assert counts.margin_prediction.sum() == 2 * labeled


def test_predictions_on_ignored_pixels_change_nothing() -> None:
    (scores, target), *_ = random_images(1, seed=1)
    other = torch.where(target == 255, scores.flip(0), scores)
    assert count([(scores, target)]) == count([(other, target)])


def test_an_image_without_labels_is_kept_as_a_row_of_zeros() -> None:
    counts = count([(torch.zeros(4, 2, 2), torch.full((2, 2), 255))])
    assert counts.image_ids == ("000",) and lists(counts.totals) == [[0] * 4] * 3


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_totals_equal_a_slow_recount_even_if_scores_tie(data: st.DataObject) -> None:
    seen = tuple(data.draw(st.lists(st.booleans(), min_size=1, max_size=4)))
    number = st.integers(-2, 2)
    height, width = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    size = height * width
    scores = data.draw(st.lists(number, min_size=size * len(seen), max_size=size * len(seen)))
    label = st.sampled_from([*range(len(seen)), 255])
    target = torch.tensor(data.draw(st.lists(label, min_size=size, max_size=size))).reshape(height, width)
    images = [(torch.tensor(scores).float().reshape(len(seen), height, width), target)]
    assert lists(count(images, seen=seen).totals) == recount(images, 0, seen=seen)
    assert lists(count(images, seen=seen).count_at_gamma(0)) == recount(images, 0, seen=seen)


@pytest.mark.parametrize("scale", [0.3, 1.0, 10.0])
def test_the_sweep_equals_a_recount_at_every_gamma(scale: float) -> None:
    images = random_images(3, seed=2, scale=scale)
    counts = count(images)
    for gamma in GAMMAS.tolist():
        assert lists(counts.count_at_gamma(gamma)) == recount(images, gamma)


@pytest.mark.parametrize("flag", [True, False])
def test_a_split_with_one_group_has_totals_and_no_sweep(flag: bool) -> None:
    images = random_images(2, seed=3)
    counts = count(images, seen=(flag,) * 4)
    assert lists(counts.count_at_gamma(0.5)) == recount(images, 0)
    assert not counts.has_sweep and not counts.margin_prediction.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_gamma_zero_is_the_argmax_in_every_float_type(dtype: torch.dtype) -> None:
    images = [(scores.to(dtype), target) for scores, target in random_images(4, seed=4, scale=0.01)]
    assert lists(count(images).count_at_gamma(0)) == recount(images, 0) == lists(count(images).totals)


def test_near_ties_beyond_the_precision_of_the_softmax_follow_the_logits() -> None:
    scores = torch.zeros(4, 1, 1, dtype=torch.float64)
    scores[3] = 1e-300
    counts = count([(scores, torch.tensor([[3]]))])
    assert lists(counts.count_at_gamma(0))[0] == [0, 0, 0, 1]
    assert lists(counts.count_at_gamma(-0.01))[1] == [1, 0, 0, 0]


def test_huge_scores_do_not_overflow() -> None:
    counts = count([(1e30 * scores_of([[0, 1]]), torch.tensor([[0, 1]]))])
    assert lists(counts.count_at_gamma(0.99)) == [[1, 1, 0, 0]] * 3


def test_a_margin_that_equals_gamma_still_gives_the_seen_class() -> None:
    counts = count([(1e30 * scores_of([[0, 1]]), torch.tensor([[0, 1]]))])  # margins 1 and -1, exactly
    assert lists(counts.count_at_gamma(1))[1] == [1, 1, 0, 0]
    assert lists(counts.count_at_gamma(-1))[1] == [2, 0, 0, 0]


def test_the_memory_layout_of_the_logits_does_not_matter() -> None:
    images = random_images(2, seed=5)
    strided = [(scores.permute(1, 2, 0).contiguous().permute(2, 0, 1), target) for scores, target in images]
    assert count(images) == count(strided)


def test_neither_the_order_of_images_nor_sharding_changes_the_counts() -> None:
    images = random_images(5, seed=6)
    shards = [Counter(CLASSES, SEEN) for _ in range(2)]
    for number in reversed(range(5)):
        shards[number % 2].update(*images[number], image_id=f"{number:03}")
    assert merge([shard.compute() for shard in shards]) == count(images)


def test_labels_may_be_bytes_and_scores_may_need_gradients() -> None:
    (scores, target), *_ = random_images(1, seed=7)
    assert count([(scores.requires_grad_(), target.byte())]) == count([(scores.detach(), target)])


def test_a_counter_without_images_computes_empty_counts() -> None:
    assert Counter(CLASSES, SEEN).compute().image_ids == ()


def test_more_than_255_classes_use_another_ignore_label() -> None:
    names = [str(k) for k in range(300)]
    with pytest.raises(ValueError, match="also the id of class '255'"):
        Counter(names, [True] * 300, ignore=255)
    counter = Counter(names, [k < 200 for k in range(300)])
    counter.update(torch.eye(300)[:, None, 255:257], torch.tensor([[255, 65535]]), image_id="a")
    assert counter.compute().totals.intersection.nonzero()[0].tolist() == [255]


@pytest.mark.parametrize(
    ("scores", "target", "message"),
    [
        (torch.zeros(3, 2, 2), torch.zeros(2, 2, dtype=torch.long), r"\(3, 2, 2\), expected \(4, H, W\)"),
        (torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.long), r"\(2, 2\), expected \(4, H, W\)"),
        (torch.zeros(4, 0, 2), torch.zeros(0, 2, dtype=torch.long), r"expected \(4, H, W\)"),
        (
            torch.zeros(4, 2, 2),
            torch.zeros(2, 3, dtype=torch.long),
            r"logits .* height and width \(2, 2\), expected \(2, 3\) like",
        ),
        (torch.zeros(4, 2, 2).long(), torch.zeros(2, 2, dtype=torch.long), "not a label map"),
        (torch.zeros(4, 2, 2), torch.zeros(2, 2), "expected integers"),
        (torch.zeros(4, 2, 2), torch.full((2, 2), 4), r"labels \[4\], expected 0 to 3 or 255"),
        (torch.zeros(4, 2, 2), torch.full((2, 2), -1), r"labels \[-1\]"),
        (torch.full((4, 2, 2), math.nan), torch.zeros(2, 2, dtype=torch.long), "16 of 16 logits of image 'x'"),
        (torch.tensor([0, -math.inf]).repeat(4, 1, 1), torch.zeros(1, 2).long(), "4 of 8 logits of image 'x'"),
    ],
)
def test_invalid_input_is_refused_and_leaves_the_counter_unchanged(
    scores: Tensor, target: Tensor, message: str
) -> None:
    counter = Counter(CLASSES, SEEN)
    with pytest.raises(ValueError, match=message):
        counter.update(scores, target, image_id="x")
    assert counter.compute() == Counter(CLASSES, SEEN).compute()


def lazy(scores: Tensor) -> LowResPrediction:
    """Return a prediction of 40 x 56 pixels that is computed from (K, h, w) logits when it is read."""
    return LowResPrediction(low_res=scores[None], padded_size=(40, 56), image_size=(37, 52), output_size=(40, 56))


@pytest.mark.parametrize("flags", [(True, True, False), (True,)])
def test_lazy_logits_are_counted_like_any_others(monkeypatch: pytest.MonkeyPatch, flags: tuple[bool, ...]) -> None:
    monkeypatch.setattr(lazy_scores, "CHUNK_SCORES", 1)
    draw = torch.Generator().manual_seed(10)
    prediction = lazy(torch.randn(40, 5, 7, generator=draw))
    counters = [Counter([str(k) for k in range(40)], [flags[k % len(flags)] for k in range(40)]) for _ in range(2)]
    target = torch.randint(0, 40, (40, 56), generator=draw)
    for counter, scores in zip(counters, (prediction, prediction["sem_seg"]), strict=True):
        counter.update(scores, target, image_id="a")
    assert counters[0].compute() == counters[1].compute()


def test_an_infinity_in_the_last_lazy_map_is_found_and_leaves_the_counter_unchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lazy_scores, "CHUNK_SCORES", 1)
    scores = torch.zeros(40, 5, 7)
    scores[39] = math.inf
    counter = Counter([str(k) for k in range(40)], [k % 3 > 0 for k in range(40)])
    before = counter.compute()
    with pytest.raises(ValueError, match="2240 of 89600 logits of image 'a' are not finite"):
        counter.update(lazy(scores), torch.zeros(40, 56, dtype=torch.long), image_id="a")
    assert counter.compute() == before


@pytest.mark.parametrize("gamma", [0, 0.2])
def test_predicted_labels_are_the_same_on_lazy_logits(gamma: float) -> None:
    prediction = lazy(torch.randn(4, 5, 7, generator=torch.Generator().manual_seed(11)).round(decimals=1))
    counter = Counter(CLASSES, SEEN, gamma=gamma)
    assert counter.predict_labels(prediction).tolist() == counter.predict_labels(prediction["sem_seg"]).tolist()


def test_an_image_cannot_be_counted_twice() -> None:
    counter, (image, *_) = Counter(CLASSES, SEEN), random_images(1, seed=8)
    counter.update(*image, image_id="x")
    before = counter.compute()
    with pytest.raises(ValueError, match="image 'x' was counted before"):
        counter.update(*image, image_id="x")
    assert counter.compute() == before


def test_computed_counts_do_not_change_with_later_images() -> None:
    counter, images = Counter(CLASSES, SEEN), random_images(2, seed=9)
    counter.update(*images[0], image_id="000")
    early = counter.compute()
    counter.update(*images[1], image_id="001")
    assert early == count(images[:1])


@pytest.mark.parametrize("seen", [(), (True,)])
def test_flags_and_classes_must_be_equally_many(seen: tuple[bool, ...]) -> None:
    with pytest.raises(ValueError, match="seen flags for"):
        Counter(CLASSES[: 2 * len(seen)], seen)


@pytest.mark.parametrize("gamma", [-0.4, 0.0, 0.1, 0.35])
def test_counts_per_image_equal_the_sweep_at_the_gamma_of_the_counter(gamma: float) -> None:
    generator = torch.Generator().manual_seed(3)
    counter = Counter(("a", "b", "c", "d"), (True, False, True, False), gamma=gamma)
    for name in ("x", "y"):
        scores, target = torch.randn(4, 6, 7, generator=generator), torch.randint(0, 4, (6, 7), generator=generator)
        counter.update(scores, target, image_id=name)
    counts = counter.compute()
    for ours, swept in zip(counts.totals, counts.count_at_gamma(gamma), strict=True):
        assert ours.tolist() == swept.tolist()


def test_predicted_labels_subtract_gamma_from_the_softmax_of_seen_classes() -> None:
    scores = torch.randn(4, 9, 9, generator=torch.Generator().manual_seed(4))
    labels = Counter(("a", "b", "c", "d"), (True, False, True, False), gamma=0.2).predict_labels(scores)
    lowered = scores.double().softmax(dim=0) - 0.2 * torch.tensor([1.0, 0.0, 1.0, 0.0])[:, None, None]
    assert labels.tolist() == lowered.argmax(dim=0).tolist()
    assert labels.tolist() != scores.argmax(dim=0).tolist()


def test_a_gamma_between_the_steps_of_the_sweep_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gamma 0\.123 is not on the grid"):
        Counter(("a", "b"), (True, False), gamma=0.123)
