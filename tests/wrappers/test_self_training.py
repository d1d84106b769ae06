"""Tests of self-training: inductive first, then with pseudo labels of unseen classes at unlabeled pixels only."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmark.core.method import Method, StepContext
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction
from benchmark.wrappers.self_training import SelfTraining

SPLIT = Split(name="s", dataset="d", classes=("owl", "dog", "cat", "bee"), unseen=("dog", "bee"))


class Recorder(Method):
    """Method that records its training labels; in evaluation, bee scores above dog where red is above 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.names: Sequence[str] = ()
        self.seen: list[Tensor] = []
        self.predicted_sizes: list[tuple[int, ...]] = []

    def set_classes(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def losses(self, batch: Batch) -> Losses:
        assert self.training
        self.seen += [sample["sem_seg"] for sample in batch]
        return {"loss": self.weight}

    def predict(self, batch: Batch) -> list[Prediction]:
        assert not self.training
        red = batch[0]["image"][0]
        self.predicted_sizes.append(tuple(red.shape))
        scores = {"owl": red + 99, "dog": -red, "cat": red + 98, "bee": red}
        return [{"sem_seg": torch.stack([scores[name] for name in self.names])}]


LABELS = torch.tensor([[0, 1, 255, 255, 255]])
UNLABELED = torch.tensor([[False, False, True, True, False]])
RED = torch.tensor([[-1.0, 1.0, -1.0, 1.0, 1.0]])


def train_step(iteration: int, *, valid_size: tuple[int, int] = (1, 5)) -> tuple[Recorder, SelfTraining]:
    inner = Recorder()
    outer = SelfTraining(inner, SPLIT)
    outer.set_classes(SPLIT.seen)
    outer.step_context = StepContext(seed=0, iteration=iteration, iterations=11)
    image = RED[None].expand(3, -1, -1)
    sample = {"image": image, "height": 9, "width": 9, "file_name": "", "image_id": "", "valid_size": valid_size}
    outer.train()
    outer.losses([{**sample, "sem_seg": LABELS, "unlabeled": UNLABELED}])  # type: ignore[typeddict-item]
    return inner, outer


def test_the_first_half_is_inductive() -> None:
    inner, _ = train_step(iteration=4)
    assert inner.names == ("owl", "cat") and torch.equal(inner.seen[0], LABELS)


def test_the_second_half_fills_unlabeled_pixels_with_the_most_probable_unseen_class() -> None:
    inner, _ = train_step(iteration=5)
    assert inner.names == SPLIT.classes
    assert inner.seen[0].tolist() == [[0, 2, 1, 3, 255]]  # owl, cat; dog where red < 0, bee where red > 0; padding


def test_pseudo_labels_are_predicted_without_the_padding() -> None:
    inner, _ = train_step(iteration=9, valid_size=(1, 4))
    assert inner.predicted_sizes == [(1, 4)]
    assert inner.seen[0].tolist() == [[0, 2, 1, 3, 255]]


def test_the_vocabulary_can_be_set_again_after_self_training_began() -> None:
    inner, outer = train_step(iteration=9)
    outer.set_classes(SPLIT.seen)
    assert inner.names == SPLIT.seen
    outer.set_classes(SPLIT.classes)
    assert inner.names == SPLIT.classes


def test_input_labels_are_not_edited_in_place() -> None:
    train_step(iteration=9)
    assert LABELS.tolist() == [[0, 1, 255, 255, 255]]


def test_checkpoints_hold_the_state_of_the_inner_method_only() -> None:
    assert set(SelfTraining(Recorder(), SPLIT).state_dict()) == {"method.weight"}
