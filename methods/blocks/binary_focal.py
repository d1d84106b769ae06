"""Binary focal loss of logits, element by element, with its derivative in closed form (arXiv 1708.02002, eq. 5)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from methods.blocks.softplus import compute_softplus

ALPHA, GAMMA = 0.25, 2
"""Weight of positives, and strength of the down-weighting of easy elements; the formulas hold for this strength."""


@dataclass(frozen=True)
class BinaryFocal:
    """Focal loss 0.75·y²·n of negatives, with y = sigmoid(x) and n = -log(1 - y) for logits x, and that of positives.

    The loss of a positive is that of a negative with logit -x, times 0.25 / 0.75.

    Attributes:
        bounds: Least and largest n, beyond which n is constant; None for none.
    """

    bounds: tuple[float, float] | None = None

    def of_negatives(self, logits: Tensor) -> Tensor:
        """Compute the loss of negatives, in the shape of the logits."""
        log = compute_softplus(logits)  # n
        if self.bounds is not None:
            log.clamp_(*self.bounds)
        return log.mul_(logits.sigmoid().square_()).mul_(1 - ALPHA)

    def of_positives(self, logits: Tensor) -> Tensor:
        """Compute the loss of positives, in the shape of the logits."""
        return self.of_negatives(-logits) * (ALPHA / (1 - ALPHA))

    def slope_of_negatives(self, logits: Tensor) -> Tensor:
        """Compute the derivative of `of_negatives`: 0.75·y²·(2·(1 - y)·n + y), without the last y if n is constant."""
        probability, log = logits.sigmoid(), compute_softplus(logits)
        by_log = probability
        if self.bounds is not None:
            by_log = probability * ((log > self.bounds[0]) & (log < self.bounds[1]))
            log.clamp_(*self.bounds)
        slope = log.mul_(1 - probability).mul_(GAMMA).add_(by_log)
        return slope.mul_(probability.square_()).mul_(1 - ALPHA)

    def slope_of_positives(self, logits: Tensor) -> Tensor:
        """Compute the derivative of `of_positives`."""
        return self.slope_of_negatives(-logits) * (-ALPHA / (1 - ALPHA))


def compute_sigmoid_slope(logits: Tensor) -> Tensor:
    """Compute the derivative of the sigmoid, in the shape of the logits."""
    probability = logits.sigmoid()
    return probability * (1 - probability)
