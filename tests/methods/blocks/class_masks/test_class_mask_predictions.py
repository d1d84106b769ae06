"""Probabilities of class masks at the resolution of the image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.lazy_scores import LazyPrediction, get_score_maps
from benchmark.core.types import Batch, Prediction
from methods.blocks.class_masks import predict_class_masks

LOGITS = torch.randn(1, 37, 3, 4, generator=torch.Generator().manual_seed(0)) * 3


def predict(height: int = 40, width: int = 60) -> Prediction:
    """Return the prediction of an image of 20 x 30 pixels, which is padded to 24 x 32."""
    batch: Batch = [
        {"image": torch.zeros(3, 20, 30), "height": height, "width": width, "image_id": "", "file_name": ""}
    ]
    return predict_class_masks(lambda images: LOGITS * (images.shape[2:] == (24, 32)), batch, stride=8)[0]


def refer() -> Tensor:
    return F.interpolate(LOGITS, size=(24, 32), mode="bilinear").sigmoid()[..., :20, :30]


def test_sigmoids_follow_the_resizing_to_the_image() -> None:
    torch.testing.assert_close(predict(20, 30)["sem_seg"], refer()[0])


def test_probabilities_are_resized_to_the_requested_size() -> None:
    torch.testing.assert_close(predict()["sem_seg"], F.interpolate(refer(), size=(40, 60), mode="bilinear")[0])


def test_the_maps_of_single_classes_are_those_of_all() -> None:
    prediction = predict()
    assert isinstance(prediction, LazyPrediction)
    maps = torch.stack(list(get_score_maps(prediction)))
    assert maps.shape == prediction.shape
    assert torch.equal(maps, prediction["sem_seg"])
