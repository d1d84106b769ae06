"""Cross-entropy, focal and dice loss: values by hand, and a straightforward implementation as the reference."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.types import IGNORE
from methods.blocks.pixel_text_terms import compute_pixel_text_terms
from tests.profiling.own_process import measure

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 0.0]]).T.reshape(1, 2, 1, 2)  # two pixels, two classes
LABELS = torch.tensor([[[0, 1]]])
P = 1 / (1 + math.exp(-2))  # of class 0 at the first pixel
TERMS = ("cross_entropy", "focal", "dice")
term_names = pytest.mark.parametrize("name", TERMS)


def compute(name: str, logits: Tensor, labels: Tensor, *, ignore: int = IGNORE) -> Tensor:
    term: Tensor = getattr(compute_pixel_text_terms(logits, labels, ignore=ignore), name)
    return term


def refer(name: str, logits: Tensor, labels: Tensor, *, ignore: int = IGNORE) -> Tensor:
    """Compute a term with one-hot masks and automatic differentiation."""
    mask = (labels != ignore).unsqueeze(1)
    target = F.one_hot(labels.masked_fill(labels == ignore, 0), logits.shape[1]).movedim(3, 1) * mask
    probabilities, log_probabilities = logits.softmax(dim=1), logits.log_softmax(dim=1)
    if name == "dice":
        overlap, areas = (probabilities * target).sum(dim=(0, 2, 3)), (probabilities * mask + target).sum(dim=(0, 2, 3))
        dice = 1 - (2 * overlap + 1) / (areas + 1)
        present = target.sum(dim=(0, 2, 3)) > 0
        return dice[present].sum() / max(1, int(present.sum()))
    easiness = (1 - (probabilities * target).sum(dim=1)) ** 2 if name == "focal" else torch.ones(())
    return -(easiness * (log_probabilities * target).sum(dim=1)).sum() / max(1, int(mask.sum()))


def make_case(*, classes: int = 7, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return logits and labels with unlabeled pixels and an absent class."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, classes, 12, 10, generator=generator, dtype=dtype)
    labels = torch.randint(0, classes + 1, (2, 12, 10), generator=generator)
    return logits, labels.masked_fill((labels == classes) | (labels == 2), IGNORE)


def test_cross_entropy_is_the_mean_over_labeled_pixels() -> None:
    assert float(compute("cross_entropy", LOGITS, LABELS)) == pytest.approx((-math.log(P) + math.log(2)) / 2)


def test_focal_weighs_easy_pixels_less() -> None:
    expected = ((1 - P) ** 2 * -math.log(P) + 0.25 * math.log(2)) / 2
    assert float(compute("focal", LOGITS, LABELS)) == pytest.approx(expected, rel=1e-5)


def test_dice_is_the_mean_over_present_classes() -> None:
    first = 1 - (2 * P + 1) / (P + 0.5 + 1 + 1)
    second = 1 - (2 * 0.5 + 1) / ((1 - P) + 0.5 + 1 + 1)
    assert float(compute("dice", LOGITS, LABELS)) == pytest.approx((first + second) / 2, rel=1e-5)


@term_names
def test_values_and_gradients_are_those_of_the_reference(name: str) -> None:
    logits, labels = make_case()
    value, expected = compute(name, logits.requires_grad_(), labels), refer(name, logits, labels)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=0)
    (gradient,), (expected_gradient,) = (torch.autograd.grad(loss, logits) for loss in (value, expected))
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-8, atol=1e-16)


@term_names
def test_float32_is_exact_to_a_millionth(name: str) -> None:
    logits, labels = make_case(classes=156, dtype=torch.float32)
    precise = logits.double().requires_grad_()
    value, expected = compute(name, logits.requires_grad_(), labels), refer(name, precise, labels)
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    (gradient,), (expected_gradient,) = torch.autograd.grad(value, logits), torch.autograd.grad(expected, precise)
    assert (gradient - expected_gradient).norm() <= 1e-6 * expected_gradient.norm()


@term_names
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    logits, labels = make_case(classes=4)
    crop = logits[:, :, :3, :3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: compute(name, values, labels[:, :3, :3]), (crop,))


def test_gradients_of_a_weighted_sum_add_up() -> None:
    logits, labels = make_case()
    logits.requires_grad_()
    weights = torch.tensor([1.0, 0.5, 3.0])
    mixed, expected = (
        (weights * torch.stack([term(name, logits, labels) for name in TERMS])).sum() for term in (compute, refer)
    )
    (gradient,), (expected_gradient,) = torch.autograd.grad(mixed, logits), torch.autograd.grad(expected, logits)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-8, atol=1e-16)


@term_names
def test_unlabeled_pixels_do_not_count(name: str) -> None:
    logits = torch.cat([LOGITS, torch.full((1, 2, 1, 3), 9.0)], dim=3).requires_grad_()
    labels = torch.cat([LABELS, torch.full((1, 1, 3), IGNORE)], dim=2)
    (gradient,) = torch.autograd.grad(compute(name, logits, labels), logits)
    assert float(compute(name, logits.detach(), labels)) == pytest.approx(float(compute(name, LOGITS, LABELS)))
    assert torch.equal(gradient[..., 2:], torch.zeros(1, 2, 1, 3))


@term_names
def test_an_image_without_labels_has_loss_and_gradient_zero(name: str) -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = compute(name, logits, torch.full_like(LABELS, IGNORE))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert torch.equal(gradient, torch.zeros_like(LOGITS))


@term_names
def test_beyond_255_classes_255_is_a_class_and_65535_is_ignored(name: str) -> None:
    logits = torch.randn(1, 300, 1, 3, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[[255, 7, 65535]]])
    cut = compute(name, logits[..., :2], labels[..., :2], ignore=65535)
    assert float(compute(name, logits, labels, ignore=65535)) == pytest.approx(float(cut), rel=1e-5)
    other = compute(name, logits, torch.tensor([[[255, 7, 255]]]), ignore=65535)
    assert float(other) != pytest.approx(float(cut), rel=1e-3)


MEASURE = """
import torch
from benchmark.profiling.process_memory import get_peak_memory_mb
from methods.blocks.losses import PixelTextConfig, PixelTextLoss
def run(classes, side):
    logits = torch.randn(1, classes, 8, 8, requires_grad=True)
    labels = torch.randint(0, classes, (1, side, side))
    torch.stack(list(PixelTextLoss(PixelTextConfig())(logits, labels).values())).sum().backward()
torch.set_num_threads(1)
run(4, 8)
before = get_peak_memory_mb()
run(156, 384)
print(2**20 * (get_peak_memory_mb() - before) / (156 * 384**2))
"""


def test_at_most_10_bytes_per_score_are_needed_forward_and_backward() -> None:
    # everything at full size counts: resized logits, probabilities and gradient
    (bytes_per_score,) = measure(MEASURE)
    assert 4 < bytes_per_score < 10
