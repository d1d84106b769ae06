"""SAN: outputs, losses and gradients of the official code, its checkpoints, and the sizes of the published model."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.api import Sample
from methods.blocks.mask_matching import compute_matching_losses, make_mask_targets
from methods.blocks.side_adapter import SideAdapter, SideAdapterConfig
from methods.blocks.side_adapter.recognition import BiasHead
from methods.san import MATCHING, San, convert_official
from tests.methods.blocks.side_adapter.tiny_san import OFFICIAL, build_tiny_san, load_tiny_san, read_official_state

SIZES = {(48, 80): (40, 70), (90, 64): (90, 64)}
"""Sizes of images, and of the predictions that they request."""


def _read(name: str) -> Tensor:
    with np.load(OFFICIAL / "san.npz") as arrays:
        return torch.tensor(arrays[name])


def _make_sample(height: int, width: int) -> Sample:
    image = torch.tensor(255 * np.random.RandomState(height).rand(3, height, width).astype(np.float32))
    requested = SIZES[height, width]
    return {"image": image, "height": requested[0], "width": requested[1], "file_name": "", "image_id": ""}


@torch.no_grad()
@pytest.mark.parametrize("size", SIZES)
def test_predictions_are_those_of_the_official_code(size: tuple[int, int]) -> None:
    height, width = SIZES[size]
    (prediction,) = load_tiny_san().eval().predict([_make_sample(*size)])
    expected = _read(f"{size[0]}x{size[1]} to {height}x{width}")
    torch.testing.assert_close(prediction["sem_seg"], expected, rtol=0, atol=1e-4)


def _compute_official_losses(method: San) -> dict[str, Tensor]:
    """Compute the losses of two images with the points of the official code, which begins with the last layer."""
    images = torch.tensor(255 * np.random.RandomState(7).rand(2, 3, 64, 64).astype(np.float32))
    labels = torch.tensor(np.random.RandomState(8).randint(0, 6, (2, 4, 4)).repeat(16, 1).repeat(16, 2))
    targets = make_mask_targets(labels, num_classes=5)
    masks, logits = method.train().segment(images)
    generator = torch.Generator().manual_seed(0)
    losses: dict[str, Tensor] = {}
    for layer, suffix in ((1, ""), (0, "_0")):
        some = compute_matching_losses(
            [logits[layer]], [masks[layer]], targets, config=method.matching, generator=generator
        )
        losses |= {name + suffix: value for name, value in some.items()}
    return losses


def test_losses_and_gradients_are_those_of_the_official_code() -> None:
    method = load_tiny_san()
    losses = _compute_official_losses(method)
    assert len(losses) == 6
    for name, value in losses.items():
        torch.testing.assert_close(value, _read(name), rtol=0, atol=1e-4)
    torch.stack(list(losses.values())).sum().backward()
    positions = method.image_encoder.visual.positional_embedding.grad
    torch.testing.assert_close(positions, _read("gradient of CLIP's positions"), rtol=0, atol=1e-4)
    torch.testing.assert_close(method.side.queries.grad, _read("gradient of the queries"), rtol=0, atol=1e-4)


def test_a_checkpoint_gives_every_tensor_of_the_method_its_own_value() -> None:
    method, official = build_tiny_san(), read_official_state()
    converted = convert_official(official, method)
    assert {name: value.shape for name, value in converted.items()} == {
        name: value.shape for name, value in method.state_dict().items()
    }
    left_out = [name for name in official if not name.startswith(("side_adapter", "clip_"))]
    assert len(converted) == len(official) - len(left_out) + 2  # the embedding of no object, and the temperature


def test_a_checkpoint_of_another_model_or_a_part_of_one_is_refused_in_one_line() -> None:
    method, official = build_tiny_san(), read_official_state()
    with pytest.raises(ValueError, match=r"^the file is not a checkpoint of MendelXu/SAN: 1 of .* unknown \(head\.w\)"):
        convert_official(official | {"head.w": torch.zeros(1)}, method)
    part = {name: value for name, value in official.items() if not re.match("ov_classifier.bg_embed", name)}
    with pytest.raises(ValueError, match=r"nothing is named ov_classifier\.bg_embed$"):
        convert_official(part, method)


def test_an_empty_tensor_is_not_taken_for_one_with_axes_of_length_1() -> None:
    official = read_official_state() | {"ov_classifier.logit_scale": torch.zeros(0)}
    assert convert_official(official, build_tiny_san())["log_scale"].shape == (0,)


def test_the_published_model_trains_8_37_million_parameters() -> None:
    config = SideAdapterConfig()
    side, biases = SideAdapter(config, clip_width=768, clip_depth=12), BiasHead(config, heads=12)
    count = sum(value.numel() for part in (side, biases) for value in part.parameters())
    assert count == 8_219_058  # side_adapter_network of the official model
    assert count + 197 * 768 + 512 == 8_370_866  # CLIP's positions and the embedding of no object; 8.37M in its log


def test_images_are_padded_to_a_multiple_of_both_patches() -> None:
    assert build_tiny_san().stride == 16  # half of it is a patch of 8 of CLIP


@torch.no_grad()
def test_a_prediction_depends_on_no_other_sample() -> None:
    method = load_tiny_san().eval()
    samples = [_make_sample(*size) for size in SIZES]
    together, alone = method.predict(samples), [method.predict([sample])[0] for sample in samples]
    assert all(torch.equal(one["sem_seg"], other["sem_seg"]) for one, other in zip(together, alone, strict=True))


def test_scores_are_the_masks_weighted_with_class_probabilities_without_no_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method, sample = build_tiny_san().eval(), _make_sample(48, 80)
    masks = torch.tensor([0.0, 50.0])[None, :, None, None].expand(1, 2, 6, 10)  # probabilities 1/2 and 1
    logits = torch.tensor([[[0.0, 0, 50, 50, 0, 0], [0, 0, 0, 0, 0, 50]]])  # c or d; and no object
    monkeypatch.setattr(method, "segment", lambda images: ([masks], [logits]))
    scores = method.predict([sample])[0]["sem_seg"]
    expected = torch.tensor([0, 0, 0.25, 0.25, 0])[:, None, None].expand(5, 40, 70)
    torch.testing.assert_close(scores, expected)


def test_unlabeled_pixels_are_outside_every_mask() -> None:
    labels = torch.tensor([[[0, 255], [0, 0]]])
    targets = make_mask_targets(labels, num_classes=5, unlabeled=MATCHING.unlabeled)
    assert targets.valid is None and targets.masks[0, 0].tolist() == [[True, False], [True, True]]
