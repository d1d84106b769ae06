"""A batch in micro_batches: what is added up, what is kept, and what each shard draws."""

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
from benchmark.engine.micro_batches import Gradient, Readings, slots_of
from benchmark.engine.place import Place
from benchmark.engine.team import ProcessGroup
from benchmark.planning.resolve import build, split_of
from tests.engine.runs import fit, interrupt, same_state, small_spec, toybox

SHARDED: dict[str, Any] = {"budget__shards": 2, "budget__batch_size": 6}


def gradient(method: Method, differentiate: Callable[[Batch, StepContext], Readings]) -> Readings:
    """Take one of two micro_batches, of a batch of four samples that are never looked at."""
    return Gradient(method, differentiate, micro_batches=2, team=ProcessGroup(Place())).take([{}] * 4, StepContext())  # type: ignore[typeddict-item]


def test_gradient_and_losses_are_means_over_the_shards() -> None:
    method = build(small_spec())

    def differentiate(batch: Batch, step_context: StepContext) -> Readings:
        for parameter in method.parameters():
            parameter.grad = torch.full_like(parameter, step_context.micro_batch + len(batch))
        return {"always": 1.0 + step_context.micro_batch} | ({"seldom": 3.0} if step_context.micro_batch else {})

    assert gradient(method, differentiate) == {"always": 1.5, "seldom": 1.5}
    rows = method.get_parameter("rows")
    assert rows.grad is not None and torch.equal(rows.grad, torch.full_like(rows, 2.5))


def test_a_gradient_that_no_shard_has_stays_missing() -> None:
    method = build(small_spec())
    rows, bias = method.get_parameter("rows"), method.get_parameter("body.0.bias")

    def differentiate(_: Batch, step_context: StepContext) -> Readings:
        method.zero_grad()
        rows.grad = torch.ones_like(rows) if step_context.micro_batch else None
        return {}

    gradient(method, differentiate)
    assert bias.grad is None
    assert rows.grad is not None and torch.equal(rows.grad, torch.full_like(rows, 0.5))


def test_every_shard_begins_with_the_same_memory_and_that_of_the_first_is_kept() -> None:
    method, found = build(small_spec()), []
    memory = method.get_buffer("memory")

    def differentiate(_: Batch, step_context: StepContext) -> Readings:
        found.append(memory.tolist())
        memory.add_(1 + step_context.micro_batch)
        return {}

    gradient(method, differentiate)
    assert found == [[0] * 5, [0] * 5] and memory.tolist() == [1] * 5


def test_the_first_shard_draws_as_the_whole_batch_would_and_the_others_differently() -> None:
    drawn = [torch.rand(3, generator=StepContext(3, 5, 9, micro_batch).generator("a")) for micro_batch in (0, 1, 2)]
    assert torch.equal(drawn[0], torch.rand(3, generator=torch_generator(3, 5, "a")))
    assert len({tuple(one.tolist()) for one in drawn}) == 3


def test_processes_share_a_batch_and_the_images_without_overlap() -> None:
    split, places = split_of(small_spec()), [Place(rank, 2) for rank in (0, 1)]
    train = TrainLoader(toybox(), split, protocol=Protocol(), batch_size=4, seed=1)
    test = EvalLoader(toybox(), split, protocol=Protocol(), max_images=5)
    slots = [slots_of(place, batch_size=4) for place in places]
    parts = [next(train.batches(3, 4, slots=one)) for one in slots]
    ids = [[sample["image_id"] for sample, _ in test.images(first=place.rank, step=2)] for place in places]
    assert [one["image_id"] for part in parts for one in part] == [one["image_id"] for one in next(train.batches(3, 4))]
    assert [len(one) for one in ids] == [3, 2]
    assert sorted(ids[0] + ids[1]) == sorted(sample["image_id"] for sample, _ in test)


@pytest.mark.parametrize("how", [interrupt, interrupts.ask])
def test_shards_stopped_and_resumed_are_bit_for_bit_uninterrupted(tmp_path: Path, how: Callable[[], None]) -> None:
    spec = small_spec(**SHARDED)
    whole = fit(spec, tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tmp_path / "parts.pt", stop=7, how=how, every=4)
    assert same_state(whole, fit(spec, tmp_path / "parts.pt", every=4))


def test_shards_are_trained_on_as_they_are_and_not_as_one_batch(tmp_path: Path) -> None:
    whole, parts = small_spec(budget__batch_size=6), small_spec(**SHARDED)
    assert not same_state(fit(whole, tmp_path / "whole.pt"), fit(parts, tmp_path / "parts.pt"))
