"""Micro-batches of a training step: gradients and losses, buffers, random draws, and interruptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.core.method import Method, StepContext
from benchmark.core.protocol import Protocol
from benchmark.core.seeding import torch_generator
from benchmark.core.types import Batch
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine import interrupts
from benchmark.engine.distributed import ProcessGroup, Rank
from benchmark.engine.step_losses import DeviceLosses, LossReader
from benchmark.engine.training_step import ForwardBackward, GradientAccumulator, select_slots
from benchmark.planning.resolve import build, load_split_of
from tests.engine.runs import fit, interrupt, same_state, small_spec, toybox

TWO_MICRO_BATCHES: dict[str, Any] = {"budget__micro_batches": 2, "budget__batch_size": 6}


def accumulate(method: Method, forward_backward: ForwardBackward) -> dict[str, float]:
    """Accumulate the gradient over two micro-batches of a batch of four empty samples, and return the losses."""
    gradient = GradientAccumulator(method, forward_backward, micro_batches=2, group=ProcessGroup(Rank()))
    losses = gradient.accumulate([{}] * 4, StepContext())  # type: ignore[typeddict-item]
    return dict(LossReader(method, torch.device("cpu")).add(0, losses))


def make_losses(**losses: float) -> DeviceLosses:
    return DeviceLosses(tuple(losses), torch.tensor(list(losses.values())))


def test_gradient_and_losses_are_means_over_the_micro_batches() -> None:
    method = build(small_spec())

    def forward_backward(batch: Batch, step_context: StepContext) -> DeviceLosses:
        for parameter in method.parameters():
            parameter.grad = torch.full_like(parameter, step_context.micro_batch + len(batch))
        return make_losses(always=2.0, seldom=3.0) if step_context.micro_batch else make_losses(always=1.0)

    assert accumulate(method, forward_backward) == {"always": 1.5, "seldom": 1.5}
    rows = method.get_parameter("rows")
    assert rows.grad is not None and torch.equal(rows.grad, torch.full_like(rows, 2.5))


def test_a_gradient_that_no_micro_batch_has_stays_missing() -> None:
    method = build(small_spec())
    rows, bias = method.get_parameter("rows"), method.get_parameter("body.0.bias")

    def forward_backward(_: Batch, step_context: StepContext) -> DeviceLosses:
        method.zero_grad()
        rows.grad = torch.ones_like(rows) if step_context.micro_batch else None
        return make_losses(a=0.0)

    accumulate(method, forward_backward)
    assert bias.grad is None
    assert rows.grad is not None and torch.equal(rows.grad, torch.full_like(rows, 0.5))


def test_every_micro_batch_begins_with_the_same_memory_and_that_of_the_first_is_kept() -> None:
    method, values_at_begin = build(small_spec()), []
    memory = method.get_buffer("memory")

    def forward_backward(_: Batch, step_context: StepContext) -> DeviceLosses:
        values_at_begin.append(memory.tolist())
        memory.add_(1 + step_context.micro_batch)
        return make_losses(a=0.0)

    accumulate(method, forward_backward)
    assert values_at_begin == [[0] * 5, [0] * 5] and memory.tolist() == [1] * 5


def test_the_first_micro_batch_draws_as_the_whole_batch_would_and_the_others_differently() -> None:
    draws = [torch.rand(3, generator=StepContext(3, 5, 9, micro_batch).generator("a")) for micro_batch in (0, 1, 2)]
    assert torch.equal(draws[0], torch.rand(3, generator=torch_generator(3, 5, "a")))
    assert len({tuple(draw.tolist()) for draw in draws}) == 3


def test_processes_share_a_batch_and_the_images_without_overlap() -> None:
    split, ranks = load_split_of(small_spec()), [Rank(index, 2) for index in (0, 1)]
    train_loader = TrainLoader(toybox(), split, protocol=Protocol(), batch_size=4, seed=1)
    eval_loader = EvalLoader(toybox(), split, protocol=Protocol(), max_images=5)
    shares = [next(train_loader.batches(3, 4, slots=select_slots(rank, batch_size=4))) for rank in ranks]
    batch = next(train_loader.batches(3, 4))
    assert [sample["image_id"] for share in shares for sample in share] == [sample["image_id"] for sample in batch]
    ids = [[sample["image_id"] for sample, _ in eval_loader.images(first=rank.index, step=2)] for rank in ranks]
    assert [len(rank_ids) for rank_ids in ids] == [3, 2]
    assert sorted(ids[0] + ids[1]) == sorted(sample["image_id"] for sample, _ in eval_loader)


@pytest.mark.parametrize("stop", [interrupt, interrupts.request_stop])
def test_micro_batches_stopped_and_resumed_are_bit_for_bit_uninterrupted(
    tmp_path: Path, stop: Callable[[], None]
) -> None:
    spec = small_spec(**TWO_MICRO_BATCHES)
    uninterrupted = fit(spec, tmp_path / "uninterrupted.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tmp_path / "resumed.pt", stop_after=7, stop=stop, every=4)
    assert same_state(uninterrupted, fit(spec, tmp_path / "resumed.pt", every=4))


def test_micro_batches_are_not_trained_as_one_batch(tmp_path: Path) -> None:
    one, two = small_spec(budget__batch_size=6), small_spec(**TWO_MICRO_BATCHES)
    assert not same_state(fit(one, tmp_path / "one.pt"), fit(two, tmp_path / "two.pt"))
