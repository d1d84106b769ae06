"""Several processes do what one would do, and know how the others fare."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch import distributed as dist

from benchmark.core.run_spec import RunSpec
from benchmark.engine import checkpoint
from benchmark.engine.place import Place
from benchmark.engine.team import Lost, ProcessGroup
from benchmark.execution import runner
from benchmark.execution.runner import assist, execute
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store
from tests.engine import several
from tests.engine.runs import fit, small_spec

SMALL: dict[str, Any] = {"budget__shards": 2, "budget__batch_size": 6}
CHIMERA = {"budget.micro_batches": 2, "budget.batch_size": 8, "budget.iterations": 6, "budget.init_images": 16}


def is_same(spec: RunSpec, store: Store, other: Store) -> bool:
    """Whether two stores hold the same run to the last bit."""
    states = [checkpoint.read(one.checkpoint(spec.id))["model"] for one in (store, other)]
    counted = {one.record(spec.id).counts_digest for one in (store, other)}
    return len(counted) == 1 and all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_two_processes_that_one_stopped_give_the_bits_of_one_process(tmp_path: Path) -> None:
    spec, one, two = small_spec(**SMALL), Store(tmp_path / "1"), Store(tmp_path / "2")
    assert execute(spec, store=one).state == "done"
    assert several.start(spec, two.root, stop=5) == [0, 0]
    assert is_same(spec, one, two)


@pytest.mark.slow
def test_two_processes_killed_and_resumed_give_the_bits_of_one_process(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "1"), Store(tmp_path / "2")
    spec = resolve("chimera_seg", split="toybox", seed=1, overrides=CHIMERA, max_images=5)
    assert execute(spec, store=one).state == "done"
    killed, left = several.start(spec, two.root, death=5)
    assert killed == -signal.SIGKILL and left == several.LEFT
    assert not (two.folder(spec.id) / "record.json").exists()
    assert checkpoint.read(two.checkpoint(spec.id))["iteration"] == 4
    assert several.start(spec, two.root) == [0, 0]
    assert is_same(spec, one, two)
    assert one.history(spec.id) == two.history(spec.id)


@pytest.mark.slow
def test_what_fails_in_another_process_is_on_record(tmp_path: Path) -> None:
    spec, store = small_spec(**SMALL), Store(tmp_path)
    assert several.start(spec, store.root, failure=3) == [0, 1]
    failure = store.record(spec.id).failure
    assert failure is not None
    assert failure.message == "process 1 of 2 failed: ValueError: broken at iteration 3"


def test_alone_everything_is_given_back_as_it_is() -> None:
    alone, tensor = ProcessGroup(Place()), torch.ones(2)
    assert alone.together(lambda: 3) == [3] and alone.agree(lambda: 4) == 4 and not alone.any(False)
    assert alone.gather(tensor) == [tensor]


def test_a_failure_here_is_told_and_raised_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(dist, "all_gather_object", lambda values, value: told.append(value))
    with pytest.raises(ZeroDivisionError):
        ProcessGroup(Place(1, 2)).together(lambda: 1 / 0)
    assert told[0].message == "ZeroDivisionError: division by zero"


def test_a_process_that_is_gone_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(values: list[Any], value: Any) -> None:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(dist, "all_gather_object", gone)
    with pytest.raises(Lost, match="another process of this run is gone"):
        ProcessGroup(Place(0, 2)).wait()


def test_tensors_of_all_kinds_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Tensor] = []
    kinds = [
        torch.tensor(7),
        torch.tensor([True, False]),
        torch.tensor([[1.5, 2.5]]),
        torch.tensor([3], dtype=torch.int8),
    ]
    monkeypatch.setattr(dist, "broadcast", lambda packed, src: sent.append(packed.clone()))
    ProcessGroup(Place(0, 2)).share(kinds)
    received = [torch.zeros_like(one) for one in kinds]
    monkeypatch.setattr(dist, "broadcast", lambda packed, src: packed.copy_(sent[0]))
    ProcessGroup(Place(1, 2)).share(received)
    assert all(torch.equal(*pair) for pair in zip(kinds, received, strict=True))


def test_processes_that_begin_differently_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessGroup, "together", lambda self, work: [work(), (4, "0" * 64)])
    with pytest.raises(ValueError, match=r"begin differently \(iteration 0 and parameters , iteration 4"):
        fit(small_spec(), tmp_path / "checkpoint.pt")


def test_the_first_process_of_a_run_assists_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LINGER_S", 0.0)
    with pytest.raises(ValueError, match="this is the first process of the run, or the only one: execute it"):
        assist(small_spec(), store=Store(tmp_path))
