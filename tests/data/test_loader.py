"""What leaves the views: final labels, and nothing that depends on workers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from benchmark.core.split import Split
from benchmark.data.loader import EvalLoader, TrainLoader
from tests.data.cases import NAMES, PLAIN, SIDE, SIZE, SPLIT, Relabelled, Tiny, same, train_view

# From Python 3.12 on, a fork beside other threads warns; ours read only numpy arrays.
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@forks
def test_training_batches_do_not_depend_on_workers() -> None:
    assert same(list(train_view(workers=2).batches(2, 7)), list(train_view().batches(2, 7)))


@forks
def test_scored_images_do_not_depend_on_workers() -> None:
    alone, helped = (list(EvalLoader(Tiny(), SPLIT, protocol=PLAIN, workers=workers)) for workers in (0, 2))
    for (one, truth), (other, same_truth) in zip(alone, helped, strict=True):
        assert one["image_id"] == other["image_id"] and one["image"].equal(other["image"])
        assert truth.equal(same_truth)


def test_a_view_survives_the_journey_to_a_spawned_process() -> None:
    copy = pickle.loads(pickle.dumps(train_view()))
    assert same(list(copy.batches(0, 3)), list(train_view().batches(0, 3)))


def test_training_that_starts_in_the_middle_sees_what_an_uninterrupted_one_sees() -> None:
    assert same(list(train_view().batches(0, 9))[5:], list(train_view().batches(5, 9)))


def test_another_seed_gives_other_batches() -> None:
    assert not same(list(train_view(seed=1).batches(0, 2)), list(train_view().batches(0, 2)))


def test_reading_leaves_the_global_random_stream_alone() -> None:
    before = torch.get_rng_state()
    list(train_view().batches(0, 2))
    assert torch.equal(torch.get_rng_state(), before)


def test_training_labels_are_seen_classes_or_ignore() -> None:
    labels = torch.cat([sample["sem_seg"].flatten() for batch in train_view().batches(0, 9) for sample in batch])
    assert labels.unique().tolist() == [0, 1, 255]  # owl, cat; dog is unseen


def test_training_labels_are_matched_by_name() -> None:
    (first,) = next(train_view(protocol=PLAIN).initial(1))
    ids = Tiny().read("train", int(first["image_id"])).labels
    expected = np.select([ids == NAMES.index("owl"), ids == NAMES.index("cat")], [0, 1], 255)
    assert first["sem_seg"].tolist() == expected.tolist()


@pytest.mark.parametrize("ids", [(0, 2, 1, 3, 4), (0, 255, 2, 3, 4), (0, 4, 2, 3, 1)])
def test_what_lies_under_unseen_pixels_never_reaches_training(ids: tuple[int, ...]) -> None:
    """Dog (1) is unseen, cow (2) and bee (4) are not in the split: exchanging them or void changes no bit."""
    changed = train_view(Relabelled(Tiny(), ids))
    assert same(list(changed.batches(0, 6)), list(train_view().batches(0, 6)))
    assert same(list(changed.initial(9)), list(train_view().initial(9)))


def test_what_lies_under_seen_pixels_reaches_training() -> None:
    changed = train_view(Relabelled(Tiny(), (3, 1, 2, 0, 4)))
    assert not same(list(changed.batches(0, 1)), list(train_view().batches(0, 1)))


def test_truth_is_every_class_of_the_split_by_name() -> None:
    for index, (sample, truth) in enumerate(EvalLoader(Tiny(), SPLIT, protocol=PLAIN)):
        ids = Tiny().read("test", index).labels
        known = [ids == NAMES.index(name) for name in SPLIT.classes]
        assert truth.tolist() == np.select(known, [0, 1, 2], 255).tolist()
        assert "sem_seg" not in sample and truth.dtype == torch.long


def test_scored_pictures_are_untouched() -> None:
    sample, _ = list(EvalLoader(Tiny(), SPLIT, protocol=PLAIN))[3]
    assert sample["image"].permute(1, 2, 0).tolist() == Tiny().read("test", 3).image.tolist()
    assert (sample["height"], sample["width"]) == (SIDE, SIDE + 3) and sample["image"].is_contiguous()


@pytest.mark.parametrize(("max_images", "expected"), [(0, SIZE), (2, 2), (99, SIZE)])
def test_a_limit_keeps_the_first_images(max_images: int, expected: int) -> None:
    view = EvalLoader(Tiny(), SPLIT, protocol=PLAIN, max_images=max_images)
    assert [sample["image_id"] for sample, _ in view] == [str(index) for index in range(expected)]
    assert len(view) == expected


@pytest.mark.parametrize("count", [0, 1, 4, SIZE, 99])
def test_initial_gives_each_image_at_most_once(count: int) -> None:
    batches = list(train_view().initial(count))
    images = [sample["image_id"] for batch in batches for sample in batch]
    assert len(set(images)) == len(images) == min(count, SIZE)
    assert all(len(batch) <= 3 and sample["image"].shape == (3, 6, 6) for batch in batches for sample in batch)


@pytest.mark.parametrize("wrong", [5, 254, -1, 256])
def test_an_id_that_is_no_class_is_an_error_that_names_file_and_id(wrong: int) -> None:
    dataset = Tiny(ids=np.full((SIDE, SIDE), wrong))
    with pytest.raises(ValueError, match=rf"test/0.png: the mask has ids \[{wrong}\].*\(0 to 4\) nor 255"):
        next(iter(EvalLoader(dataset, SPLIT, protocol=PLAIN)))


def test_a_mask_of_another_size_is_an_error_that_names_the_file() -> None:
    with pytest.raises(ValueError, match=r"test/1.png: the mask has \(rows, columns\) \(8, 8\), the picture \(8, 9\)"):
        list(EvalLoader(Tiny(ids=np.zeros((SIDE, SIDE), dtype=int)), SPLIT, protocol=PLAIN))


def test_a_class_that_the_data_set_lacks_is_named_with_the_nearest() -> None:
    split = Split(name="s", dataset="tiny", classes=("cat", "dogg", "cat bus"), unseen=())
    with pytest.raises(ValueError, match=r"split 's'.*no class 'dogg'; did you mean 'dog'.*Also missing: cat bus"):
        EvalLoader(Tiny(), split, protocol=PLAIN)


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(ValueError, match="part 'none' of data set 'tiny' is empty"):
        EvalLoader(Tiny(), SPLIT.model_copy(update={"evaluate": "none"}), protocol=PLAIN)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"workers": -1}])
def test_numbers_out_of_range_are_refused_by_name(wrong: dict[str, int]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} is {value}, expected at least"):
        TrainLoader(Tiny(), SPLIT, protocol=PLAIN, **({"batch_size": 1, "seed": 0, "workers": 0} | wrong))


def test_batches_that_end_before_they_start_are_refused() -> None:
    with pytest.raises(ValueError, match="batches 3 to 2"):
        list(train_view().batches(3, 2))
