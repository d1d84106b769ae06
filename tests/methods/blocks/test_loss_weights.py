"""Losses that are all switched off are refused, each name once."""

from __future__ import annotations

import pytest

from benchmark.core.method import Config
from methods.blocks.loss_weights import check_any_weight


class Weights(Config):
    a: float = 0.0
    b: float = 0.0
    c: float = 0.0


def test_one_weight_above_0_is_enough() -> None:
    check_any_weight(Weights(b=0.1), "a", "b", "c")


@pytest.mark.parametrize(
    ("names", "prefix", "message"),
    [
        (("a", "b", "c"), "", "a, b and c are all 0, expected one above 0"),
        (("a", "b"), "loss.", "loss.a and loss.b are both 0, expected one above 0"),
    ],
)
def test_weights_that_are_all_0_are_named(names: tuple[str, ...], prefix: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_any_weight(Weights(), *names, prefix=prefix)
