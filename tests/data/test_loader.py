"""Training and evaluation loaders: final labels, independent of workers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from benchmark.core.method import Supervision
from benchmark.core.protocol import Protocol, TrainTransform
from benchmark.core.split import Split
from benchmark.data.loader import EvalLoader, TrainLoader
from tests.data.tiny_dataset import NAMES, PLAIN, SIDE, SIZE, SPLIT, Relabeled, Tiny, make_train_loader, same

# Since Python 3.12, a fork warns if other threads run; these workers only read NumPy arrays.
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@forks
def test_training_batches_do_not_depend_on_workers() -> None:
    assert same(list(make_train_loader(workers=2).batches(2, 7)), list(make_train_loader().batches(2, 7)))


@forks
def test_evaluation_images_do_not_depend_on_workers() -> None:
    alone, helped = (list(EvalLoader(Tiny(), SPLIT, protocol=PLAIN, workers=workers)) for workers in (0, 2))
    for (sample, target), (same_sample, same_target) in zip(alone, helped, strict=True):
        assert sample["image_id"] == same_sample["image_id"] and sample["image"].equal(same_sample["image"])
        assert target.equal(same_target)


def test_a_pickled_loader_gives_the_same_batches() -> None:
    copy = pickle.loads(pickle.dumps(make_train_loader()))
    assert same(list(copy.batches(0, 3)), list(make_train_loader().batches(0, 3)))


def test_batches_do_not_depend_on_where_training_starts() -> None:
    assert same(list(make_train_loader().batches(0, 9))[5:], list(make_train_loader().batches(5, 9)))


def test_another_seed_gives_other_batches() -> None:
    assert not same(list(make_train_loader(seed=1).batches(0, 2)), list(make_train_loader().batches(0, 2)))


def test_reading_leaves_the_global_random_stream_alone() -> None:
    before = torch.get_rng_state()
    list(make_train_loader().batches(0, 2))
    assert torch.equal(torch.get_rng_state(), before)


def test_training_labels_are_seen_classes_or_ignore() -> None:
    labels = torch.cat([sample["sem_seg"].flatten() for batch in make_train_loader().batches(0, 9) for sample in batch])
    assert labels.unique().tolist() == [0, 1, 255]  # owl, cat; dog is unseen


def test_training_labels_are_matched_by_name() -> None:
    protocol = Protocol(train=TrainTransform(flip=False))
    (first,) = next(make_train_loader(protocol=protocol).init_batches(1))
    labels = Tiny().read("train", int(first["image_id"])).labels
    expected = np.select([labels == NAMES.index("owl"), labels == NAMES.index("cat")], [0, 1], 255)
    assert first["sem_seg"].tolist() == expected.tolist()


@pytest.mark.parametrize("labels", [(0, 2, 1, 3, 4), (0, 255, 2, 3, 4), (0, 4, 2, 3, 1)])
def test_labels_of_unseen_pixels_never_reach_training(labels: tuple[int, ...]) -> None:
    """Dog (1) is unseen, cow (2) and bee (4) are not in the split: exchanging them or void changes no bit."""
    changed = make_train_loader(Relabeled(Tiny(), labels))
    assert same(list(changed.batches(0, 6)), list(make_train_loader().batches(0, 6)))
    assert same(list(changed.init_batches(9)), list(make_train_loader().init_batches(9)))


def test_labels_of_seen_pixels_reach_training() -> None:
    changed = make_train_loader(Relabeled(Tiny(), (3, 1, 2, 0, 4)))
    assert not same(list(changed.batches(0, 1)), list(make_train_loader().batches(0, 1)))


def test_targets_cover_every_class_of_the_split_by_name() -> None:
    for index, (sample, target) in enumerate(EvalLoader(Tiny(), SPLIT, protocol=PLAIN)):
        labels = Tiny().read("test", index).labels
        is_class = [labels == NAMES.index(name) for name in SPLIT.classes]
        assert target.tolist() == np.select(is_class, [0, 1, 2], 255).tolist()
        assert "sem_seg" not in sample and target.dtype == torch.long


def test_only_samples_of_methods_with_tags_name_the_classes_that_they_show() -> None:
    pairs = list(EvalLoader(Tiny(), SPLIT, protocol=PLAIN, supervision=Supervision.TAGS))
    for sample, target in pairs:
        assert sample["tags"] == tuple(name for index, name in enumerate(SPLIT.classes) if (target == index).any())
    assert any(sample["tags"] for sample, _ in pairs)
    assert all("tags" not in sample for sample, _ in EvalLoader(Tiny(), SPLIT, protocol=PLAIN))


def test_evaluation_images_are_unchanged() -> None:
    sample, _ = list(EvalLoader(Tiny(), SPLIT, protocol=PLAIN))[3]
    assert sample["image"].permute(1, 2, 0).tolist() == Tiny().read("test", 3).image.tolist()
    assert (sample["height"], sample["width"]) == (SIDE, SIDE + 3) and sample["image"].is_contiguous()


@pytest.mark.parametrize(("max_images", "expected"), [(0, SIZE), (2, 2), (99, SIZE)])
def test_max_images_keeps_the_first_images(max_images: int, expected: int) -> None:
    loader = EvalLoader(Tiny(), SPLIT, protocol=PLAIN, max_images=max_images)
    assert [sample["image_id"] for sample, _ in loader] == [str(index) for index in range(expected)]
    assert len(loader) == expected


@pytest.mark.parametrize("count", [0, 1, 4, SIZE, 99])
def test_init_batches_contain_each_image_at_most_once(count: int) -> None:
    batches = list(make_train_loader().init_batches(count))
    images = [sample["image_id"] for batch in batches for sample in batch]
    assert len(set(images)) == len(images) == min(count, SIZE)
    assert all(len(batch) <= 3 and sample["image"].shape == (3, 6, 6) for batch in batches for sample in batch)


def test_init_batches_are_augmented_as_in_training_with_other_draws() -> None:
    loader = make_train_loader()
    (first,), (initial,) = next(loader.batches(0, 1))[:1], next(loader.init_batches(3))[:1]
    assert first["image_id"] == initial["image_id"] and first["image"].shape == initial["image"].shape
    assert initial["image"].is_floating_point() and not torch.equal(first["image"], initial["image"])  # RandomTone


@pytest.mark.parametrize(("micro_batches", "sizes"), [(1, [3, 2]), (3, [1, 1, 1, 1, 1])])
def test_init_batches_are_as_large_as_micro_batches(micro_batches: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in make_train_loader().init_batches(5, micro_batches=micro_batches)] == sizes


def test_the_last_init_batch_is_not_a_remainder() -> None:
    assert [len(batch) for batch in make_train_loader().init_batches(4)] == [2, 2]  # a batch norm cannot use one image


def test_training_samples_tell_the_image_from_its_padding() -> None:
    protocol = Protocol(train=TrainTransform(crop=20))
    for sample in next(make_train_loader(protocol=protocol).batches(0, 1)):
        assert sample["valid_size"] == (SIDE, SIDE + int(sample["image_id"]))
        assert sample["image"].shape == (3, 20, 20)


@pytest.mark.parametrize("wrong", [5, 254, -1, 256])
def test_an_illegal_label_is_an_error_that_names_file_and_label(wrong: int) -> None:
    dataset = Tiny(labels=np.full((SIDE, SIDE), wrong))
    with pytest.raises(
        ValueError, match=rf"test/0.png: the mask has labels \[{wrong}\], expected a class \(0 to 4\) or 255"
    ):
        next(iter(EvalLoader(dataset, SPLIT, protocol=PLAIN)))


def test_a_mask_of_another_size_is_an_error_that_names_the_file() -> None:
    with pytest.raises(ValueError, match=r"test/1.png: .* \(rows, columns\) \(8, 8\) but the image has \(8, 9\)"):
        list(EvalLoader(Tiny(labels=np.zeros((SIDE, SIDE), dtype=int)), SPLIT, protocol=PLAIN))


def test_a_class_missing_in_the_dataset_is_named_with_the_closest() -> None:
    split = Split(name="s", dataset="tiny", classes=("cat", "dogg", "cat bus"), unseen=())
    with pytest.raises(ValueError, match=r"split 's'.*no class 'dogg'; did you mean 'dog'.*Also missing: cat bus"):
        EvalLoader(Tiny(), split, protocol=PLAIN)


def test_an_empty_subset_is_refused() -> None:
    with pytest.raises(ValueError, match="subset 'none' of dataset 'tiny' is empty"):
        EvalLoader(Tiny(), SPLIT.model_copy(update={"evaluate": "none"}), protocol=PLAIN)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"workers": -1}])
def test_numbers_out_of_range_are_refused_by_name(wrong: dict[str, int]) -> None:
    sizes = {"batch_size": 1, "workers": 0} | wrong
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} is {value}, expected at least"):
        TrainLoader(Tiny(), SPLIT, protocol=PLAIN, seed=0, batch_size=sizes["batch_size"], workers=sizes["workers"])


def test_batches_that_end_before_they_start_are_refused() -> None:
    with pytest.raises(ValueError, match="batches 3 to 2"):
        list(make_train_loader().batches(3, 2))
