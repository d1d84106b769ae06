"""CLIP's features at pixels."""

from __future__ import annotations

from typing import cast

import torch

from methods.blocks.mcfa import DenseTeacher
from methods.clip_points import ClipPoints
from tests.methods.cases import in_training, subject_of

CASE = "clip_points/CLIP points"


def _get_teacher() -> DenseTeacher:
    return cast(ClipPoints, in_training(CASE)).alignment.teacher


def test_at_the_center_of_a_patch_the_features_are_those_of_the_patch() -> None:
    teacher, batch = _get_teacher(), subject_of(CASE).make_training_batch()
    patch = teacher.encoder.patch_size
    uv = torch.tensor([[0.5 * patch, 0.5 * patch], [2.5 * patch, 1.5 * patch]])
    features = teacher(batch, torch.tensor([1, 1]), uv)
    dense, middle, _ = teacher.encode(torch.stack([sample["image"] for sample in batch]))
    assert torch.allclose(features.dense, torch.stack([dense[1, :, 0, 0], dense[1, :, 1, 2]]), atol=1e-5)
    assert torch.allclose(features.middle, torch.stack([middle[1, :, 0, 0], middle[1, :, 1, 2]]), atol=1e-5)


def test_class_tokens_are_clips_own() -> None:
    teacher, batch = _get_teacher(), subject_of(CASE).make_training_batch()
    images = torch.stack([sample["image"] for sample in batch])
    tokens, _ = teacher.encoder.embed(teacher.normalize(images))
    features = teacher(batch, torch.zeros(0, dtype=torch.long), torch.zeros(0, 2))
    assert torch.allclose(features.class_tokens, teacher.encoder.encode_class_token(tokens), atol=1e-4)


def test_padding_has_no_influence() -> None:
    teacher, batch = _get_teacher(), subject_of(CASE).make_training_batch()
    image, uv = torch.tensor([0]), torch.tensor([[3.0, 5.0]])
    cropped = [{**sample, "valid_size": (16, 24)} for sample in batch]
    expected = teacher([{**sample, "image": sample["image"][:, :16, :24]} for sample in batch], image, uv)
    assert torch.allclose(teacher(cropped, image, uv).dense, expected.dense, atol=1e-5)
