"""The endless order of training images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.samplers import EndlessOrder


@given(size=st.integers(1, 40), seed=st.integers(0, 9), epoch=st.integers(0, 5))
def test_an_epoch_holds_every_image_once(size: int, seed: int, epoch: int) -> None:
    order = EndlessOrder(size, seed=seed)
    images = [order.index(position) for position in range(epoch * size, (epoch + 1) * size)]
    assert sorted(images) == list(range(size))


@given(batch_size=st.integers(1, 9), iteration=st.integers(0, 9))
def test_batches_are_consecutive_spans_of_the_order(batch_size: int, iteration: int) -> None:
    order = EndlessOrder(5, seed=3)
    keys = order.batch(iteration, batch_size=batch_size)
    assert [key.image for key in keys] == [order.index(iteration * batch_size + slot) for slot in range(batch_size)]
    assert [(key.iteration, key.slot) for key in keys] == [(iteration, slot) for slot in range(batch_size)]


def test_every_epoch_and_seed_has_its_own_order() -> None:
    orders = [EndlessOrder(50, seed=seed) for seed in (0, 1)]
    epochs = [[order.index(epoch * 50 + offset) for offset in range(50)] for order in orders for epoch in (0, 1)]
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_an_empty_order_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 image, got 0"):
        EndlessOrder(0, seed=0)
