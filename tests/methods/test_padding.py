"""Padding of training crops: its content changes no loss, no prediction and no initial value."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor

from benchmark.core.seeding import torch_generator
from benchmark.core.types import IGNORE, Batch
from methods.blocks.padding import encode_without_padding
from methods.chimera_seg import ChimeraSeg
from tests.methods.cases import CASES, in_evaluation, in_training, subject_of


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    """Return a variant; one after the other, so that each is built once for all tests."""
    return str(request.param)


def make_padded_batch(case: str, content: str = "") -> Batch:
    """Return a batch whose first image is padded: to 13 x 32 valid pixels of 32 x 32, with content of that name."""
    first, second = subject_of(case).make_training_batch()
    noise = 255 * torch.rand(3, 32, 32, generator=torch_generator("padding", content))
    image, labels = noise.clone(), first["sem_seg"].clone()
    image[:, :13] = first["image"][:, :13]
    labels[13:] = IGNORE
    if "points_uv" in first:
        first = {**first, "points_valid": first["points_valid"] & (first["points_uv"][:, 1] < 13)}
    return [{**first, "image": image, "sem_seg": labels, "valid_size": (13, 32)}, {**second, "valid_size": (32, 32)}]


def test_the_content_of_padding_changes_no_loss(case: str) -> None:
    first, second = (in_training(case).losses(make_padded_batch(case, content)) for content in ("one", "other"))
    assert first.keys() == second.keys()
    assert all(torch.equal(loss, second[name]) for name, loss in first.items())


def test_the_content_of_padding_changes_no_prediction(case: str) -> None:
    def predict(content: str) -> Tensor:
        batch = subject_of(case).add_tags(make_padded_batch(case, content))
        with torch.no_grad():
            return in_evaluation(case).predict(batch)[0]["sem_seg"]

    assert torch.equal(predict("one"), predict("other"))


@pytest.mark.parametrize("variant", ["chimera_seg/Chimera-Seg", "chimera_seg/no CSH"])
def test_the_content_of_padding_changes_no_initial_value(variant: str) -> None:
    def initialize(content: str) -> dict[str, Tensor]:
        method = in_training(variant)
        with torch.no_grad():
            method.initialize([make_padded_batch(variant, content)])
        return cast(dict[str, Tensor], method.state_dict())

    first, second = initialize("one"), initialize("other")
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_the_teacher_sees_the_image_without_its_padding() -> None:
    variant = "chimera_seg/Chimera-Seg"
    method, batch = cast(ChimeraSeg, in_training(variant)), make_padded_batch(variant)
    cls = encode_without_padding(method.encode_cls, batch)
    torch.testing.assert_close(cls[0], method.encode_cls(batch[0]["image"][None, :, :13])[0])
