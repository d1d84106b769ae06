"""Score maps that are computed when they are read equal those computed at once, to the last bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core import compiled_scores, lazy_scores
from benchmark.core.lazy_scores import LowResPrediction, compute_label_map, get_score_maps, get_scores
from benchmark.core.types import Batch, Sample
from benchmark.engine.distributed import find_rank
from benchmark.engine.fabric_setup import open_fabric
from methods.blocks.images import to_predictions

STRIDE = 8
SIZES = [  # of the network's scores, of the image without padding, of the output
    ((4, 6), (32, 48), (32, 48)),
    ((4, 6), (27, 45), (27, 45)),
    ((9, 12), (72, 96), (72, 96)),
    ((9, 12), (72, 93), (72, 93)),
    ((9, 12), (69, 96), (140, 90)),
    ((9, 12), (67, 91), (20, 30)),
]


def draw(classes: int, size: tuple[int, int]) -> Tensor:
    return torch.randn(1, classes, *size, generator=torch.Generator().manual_seed(classes))


def sample(inside: tuple[int, int], size: tuple[int, int]) -> Sample:
    names = {"file_name": "a", "image_id": "a"}
    return {"image": torch.zeros(3, *inside), "height": size[0], "width": size[1], **names}  # type: ignore[typeddict-item]


def predict(scores: Tensor, inside: tuple[int, int], size: tuple[int, int]) -> LowResPrediction:
    padded = (scores.shape[2] * STRIDE, scores.shape[3] * STRIDE)
    (prediction,) = to_predictions(scores, [sample(inside, size)], padded=padded)
    assert isinstance(prediction, LowResPrediction)
    return prediction


def compute_at_once(scores: Tensor, inside: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return the scores (K, height, width) of all classes, computed at once."""
    padded = (scores.shape[2] * STRIDE, scores.shape[3] * STRIDE)
    whole = F.interpolate(scores.float(), size=padded, mode="bilinear")[:, :, : inside[0], : inside[1]]
    return (whole if inside == size else F.interpolate(whole, size=size, mode="bilinear"))[0]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy_scores, "CHUNK_SCORES", 1)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("classes", [3, 17, 35, 52])
@pytest.mark.parametrize(("low", "inside", "size"), SIZES)
def test_maps_equal_those_computed_compute_at_once(
    low: tuple[int, int], inside: tuple[int, int], size: tuple[int, int], classes: int, layout: torch.memory_format
) -> None:
    scores = draw(classes, low).contiguous(memory_format=layout)
    prediction, expected = predict(scores, inside, size), compute_at_once(scores, inside, size)
    assert torch.equal(torch.stack(list(get_score_maps(prediction))), expected)
    assert torch.equal(prediction["sem_seg"], expected)
    assert prediction.shape == expected.shape


def test_torch_gets_small_scores_in_the_layout_that_it_computes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    layouts, resize = [], F.interpolate

    def record(scores: Tensor, **options: Any) -> Tensor:
        layouts.append(scores.is_contiguous(memory_format=torch.channels_last))
        return resize(scores, **options)

    monkeypatch.setattr(F, "interpolate", record)
    assert predict(draw(5, (4, 6)), (32, 48), (32, 48))["sem_seg"].is_contiguous()
    assert predict(draw(5, (9, 12)), (72, 96), (20, 30))["sem_seg"].is_contiguous()
    assert layouts == [True, False, True]


@pytest.mark.usefixtures("small_chunks")
def test_scores_in_half_precision_are_resized_in_full_precision() -> None:
    scores = draw(20, (9, 12)).bfloat16()
    maps = torch.stack(list(get_score_maps(predict(scores, (72, 96), (72, 96)))))
    assert torch.equal(maps, compute_at_once(scores, (72, 96), (72, 96))) and maps.dtype is torch.float32


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("scale", [1, 100])
def test_the_label_map_is_the_argmax_and_the_first_class_wins_ties(scale: int) -> None:
    scores = (scale * draw(40, (9, 12))).round() / scale  # many are equal at a scale of 1
    prediction = predict(scores.clamp(max=1), (67, 91), (67, 91))
    assert torch.equal(compute_label_map(prediction), prediction["sem_seg"].argmax(dim=0))


@pytest.mark.usefixtures("small_chunks")
def test_only_the_given_classes_are_chosen() -> None:
    prediction, among = predict(draw(40, (9, 12)), (72, 96), (72, 96)), torch.tensor([5, 6, 20, 39])
    expected = among[prediction["sem_seg"][among].argmax(dim=0)]
    assert torch.equal(compute_label_map(prediction, among=among.tolist()), expected)


def test_a_label_map_is_computed_from_plain_scores_too() -> None:
    scores = draw(5, (6, 7))[0]
    assert torch.equal(compute_label_map({"sem_seg": scores}), scores.argmax(dim=0))
    assert torch.equal(compute_label_map(scores), scores.argmax(dim=0))


def test_only_a_few_classes_are_computed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk_sizes, resize = [], F.interpolate

    def record(scores: Tensor, **options: Any) -> Tensor:
        chunk_sizes.append(scores.shape[1])
        return resize(scores, **options)

    monkeypatch.setattr(F, "interpolate", record)
    monkeypatch.setattr(compiled_scores, "load_kernels", lambda: None)
    compute_label_map(predict(draw(99, (64, 64)), (512, 512), (512, 512)))
    assert sum(chunk_sizes) == 99 and max(chunk_sizes) < 20


@pytest.mark.usefixtures("small_chunks")
def test_a_prediction_computes_sem_seg_without_keeping_it() -> None:
    prediction = predict(draw(4, (4, 6)), (32, 48), (32, 48))
    keys = sorted(prediction)
    assert "sem_seg" in prediction and torch.equal(prediction.get("sem_seg"), prediction["sem_seg"])
    assert sorted(prediction) == keys
    assert "labels" not in prediction and prediction.get("labels", 0) == 0
    with pytest.raises(KeyError, match="labels"):
        prediction["labels"]


class _Upsampling(nn.Module):
    """One convolution whose scores are resized to full size."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 20, STRIDE, stride=STRIDE)

    def forward(self, batch: Batch) -> list[LowResPrediction]:
        return [predict(self.convolution(item["image"][None]), (72, 96), (72, 96)) for item in batch]


def test_an_engine_in_mixed_precision_does_not_change_the_type_of_predictions() -> None:
    module, fabric = _Upsampling(), open_fabric(find_rank(1, {}), accelerator="cpu", precision="bf16-mixed")
    request = sample((72, 96), (72, 96)) | {"image": draw(3, (72, 96))[0]}
    with torch.no_grad():
        (prediction,) = fabric.setup_module(module)([request])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            expected = compute_at_once(module.convolution(request["image"][None]), (72, 96), (72, 96))
    assert isinstance(prediction, LowResPrediction)
    assert torch.equal(prediction["sem_seg"], expected) and torch.equal(get_scores(prediction, slice(4)), expected[:4])
