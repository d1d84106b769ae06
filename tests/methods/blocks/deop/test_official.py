"""DeOP's own parts compared with the official code: outputs on two images of different sizes, losses and gradients.

The numbers in `official/` were computed by the repository that `methods/deop.py` names, beside this project.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.core.types import get_ignore_label
from methods.blocks.deop import ClassMapConfig, ClassMapLoss, SeveranceConfig, compute_class_maps
from tests.methods.blocks.deop.tiny_deop import (
    SIZES,
    draw_images,
    draw_labels,
    draw_masks,
    make_own_parts,
    normalize,
    read_official,
)

SEVERANCES = {
    "mask weight": SeveranceConfig(),
    "two blocks": SeveranceConfig(blocks=2),
    "value": SeveranceConfig(kind="value"),
    "mask affinity": SeveranceConfig(kind="mask affinity"),
}
CASES = [(name, index) for name in SEVERANCES for index in range(len(SIZES))]


def compute_probabilities(images: Tensor, masks: Tensor, *, severance: str, classes: int) -> Tensor:
    """Return the probabilities of the first classes and of no object, (B, N, classes + 1)."""
    parts = make_own_parts(SEVERANCES[severance])
    regions = parts["regions"](parts["dense"](normalize(images), masks), masks, generator=None)
    text = read_official("text")  # (6 classes and no object, 512)
    return (100 * regions @ torch.cat([text[:classes], text[-1:]]).T).softmax(dim=2)


@pytest.mark.parametrize(("severance", "index"), CASES)
def test_dense_embeddings_are_those_of_the_official_code(severance: str, index: int) -> None:
    height, width = SIZES[index]
    images, masks = draw_images(index, size=SIZES[index]), draw_masks(10 + index, size=SIZES[index])
    dense = make_own_parts(SEVERANCES[severance])["dense"]
    with torch.no_grad():
        tokens = dense.embed_patches(normalize(images), masks)
    expected = read_official(f"{severance}/dense {height}x{width}")
    torch.testing.assert_close(tokens[:, ::16], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("severance", "index"), CASES)
def test_scores_are_those_of_the_official_code(severance: str, index: int) -> None:
    height, width = SIZES[index]
    images, masks = draw_images(index, size=SIZES[index]), draw_masks(10 + index, size=SIZES[index])
    with torch.no_grad():
        probabilities = compute_probabilities(images, masks, severance=severance, classes=6)
    maps = compute_class_maps(masks, probabilities[..., :-1], size=SIZES[index])[0, :, ::4, ::4]
    torch.testing.assert_close(maps, read_official(f"{severance}/scores {height}x{width}"), rtol=0, atol=1e-4)


@pytest.mark.parametrize("severance", SEVERANCES)
def test_losses_are_those_of_the_official_code(severance: str) -> None:
    masks = draw_masks(20, count=2, size=(64, 96))
    labels = draw_labels(40, count=2, size=(64, 96), ignore=get_ignore_label(4))
    with torch.no_grad():
        images = draw_images(30, count=2, size=(64, 96))
        probabilities = compute_probabilities(images, masks, severance=severance, classes=4)
        losses = ClassMapLoss(ClassMapConfig())(masks, probabilities, labels)
    actual = torch.stack([losses["loss_class_focal"], losses["loss_class_dice"]]).double()
    torch.testing.assert_close(actual, read_official(f"{severance}/losses"), rtol=1e-5, atol=1e-4)


def test_gradients_are_those_of_the_official_code() -> None:
    parts = make_own_parts(SeveranceConfig())
    images, masks = draw_images(30, count=2, size=(64, 96)), draw_masks(20, count=2, size=(64, 96))
    regions = parts["regions"](parts["dense"](normalize(images), masks), masks, generator=None)
    text = torch.cat([read_official("text")[:4], read_official("text")[-1:]])
    labels = draw_labels(40, count=2, size=(64, 96), ignore=get_ignore_label(4))
    losses = ClassMapLoss(ClassMapConfig())(masks, (100 * regions @ text.T).softmax(dim=2), labels)
    sum(losses.values()).backward()
    anchors, positions = parts["regions"].anchors.grad, parts["dense"].extra_positions["0"].grad
    torch.testing.assert_close(anchors[::10, ::64], read_official("gradient of anchors"), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(positions[:, ::16], read_official("gradient of positions"), rtol=1e-3, atol=1e-4)
