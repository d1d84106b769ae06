"""Processes that share a run: their ranks, their communication, and what happens if one of them ends."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch import distributed as dist

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.engine.checkpoint import read_checkpoint
from benchmark.engine.distributed import ProcessGroup, ProcessLostError, Rank, find_rank
from benchmark.engine.fabric import FabricEngine
from benchmark.execution import runner
from benchmark.execution.runner import assist, execute
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store
from tests.engine.runs import fit, small_spec
from tests.engine.several_processes import INTERRUPTED, run_processes

SMALL: dict[str, Any] = {"budget__micro_batches": 2, "budget__batch_size": 6}
CHIMERA = {"budget.micro_batches": 2, "budget.batch_size": 8, "budget.iterations": 6, "budget.init_images": 16}


@pytest.mark.parametrize(
    ("micro_batches", "environment", "expected"),
    [
        (1, {}, Rank()),
        (1, {"SLURM_NTASKS": "4", "SLURM_PROCID": "2"}, Rank()),
        (2, {}, Rank()),
        (2, {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, Rank()),
        (4, {"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_STEP_ID": "0"}, Rank(2, 4)),
    ],
)
def test_a_process_works_alone_or_on_one_micro_batch(
    micro_batches: int, environment: dict[str, str], expected: Rank
) -> None:
    assert find_rank(micro_batches, environment) == expected


@pytest.mark.parametrize(
    "variables", [{"SLURM_NTASKS": "3", "SLURM_STEP_ID": "0"}, {"SLURM_NTASKS": "2", "SLURM_PROCID": "0"}]
)
def test_another_number_of_tasks_and_a_batch_script_of_several_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    monkeypatch.delenv("SLURM_STEP_ID", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"micro_batches=2, but this job has \d tasks .* start 1 task, or 2 with srun"):
        FabricEngine(micro_batches=2)


def test_a_run_in_micro_batches_is_another_run_and_reads_as_it_was_written() -> None:
    spec = small_spec(budget__micro_batches=2)
    assert RunSpec.model_validate_json(spec.canonical()) == spec
    assert spec.budget.model_dump()["micro_batches"] == 2
    assert spec.digest() != small_spec().digest()


def test_one_micro_batch_may_be_requested_and_is_the_same_run() -> None:
    spec = small_spec(budget__micro_batches=1)
    assert spec.id == small_spec().id and spec.budget == small_spec().budget


def test_micro_batches_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="micro_batches=3 does not divide batch_size=2"):
        small_spec(budget__micro_batches=3)


def is_same(spec: RunSpec, first: Store, second: Store) -> bool:
    """Return whether two stores hold the same result of a run, bit for bit."""
    states = [read_checkpoint(store.run(spec.id).checkpoint_path)["model"] for store in (first, second)]
    counts_digests = {store.run(spec.id).read_record().counts_digest for store in (first, second)}
    return len(counts_digests) == 1 and all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_two_processes_that_were_stopped_give_the_bits_of_one_process(tmp_path: Path) -> None:
    spec, alone, shared = small_spec(**SMALL), Store(tmp_path / "alone"), Store(tmp_path / "shared")
    assert execute(spec, store=alone).state == RunState.DONE
    assert run_processes(spec, shared.root, stop=5) == [0, 0]
    assert is_same(spec, alone, shared)


@pytest.mark.slow
def test_two_processes_killed_and_resumed_give_the_bits_of_one_process(tmp_path: Path) -> None:
    alone, shared = Store(tmp_path / "alone"), Store(tmp_path / "shared")
    spec = resolve("chimera_seg", split="toybox", seed=1, overrides=CHIMERA, max_images=5)
    assert execute(spec, store=alone).state == RunState.DONE
    assert run_processes(spec, shared.root, death=5) == [-signal.SIGKILL, INTERRUPTED]
    assert not shared.run(spec.id).record_path.exists()
    assert read_checkpoint(shared.run(spec.id).checkpoint_path)["iteration"] == 4
    assert run_processes(spec, shared.root) == [0, 0]
    assert is_same(spec, alone, shared)
    assert alone.run(spec.id).read_losses() == shared.run(spec.id).read_losses()


@pytest.mark.slow
def test_a_failure_in_another_process_is_recorded(tmp_path: Path) -> None:
    spec, store = small_spec(**SMALL), Store(tmp_path)
    assert run_processes(spec, store.root, failure=3) == [0, 1]
    failure = store.run(spec.id).read_record().failure
    assert failure is not None
    text = r"process 1 of 2 failed: ValueError in several_processes\.py:\d+: broken at iteration 3"
    assert re.fullmatch(text, failure.message)


def test_a_process_that_is_alone_keeps_its_values() -> None:
    group, tensor = ProcessGroup(Rank()), torch.ones(2)
    assert group.gather_results(lambda: 3) == [3] and group.run_collectively(lambda: 4) == 4 and not group.is_any(False)
    assert group.gather_tensors(tensor) == [tensor]


def test_a_failure_in_this_process_is_sent_to_the_others_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(dist, "all_gather_object", lambda values, value: sent.append(value))
    with pytest.raises(ZeroDivisionError):
        ProcessGroup(Rank(1, 2)).gather_results(lambda: 1 / 0)
    assert re.fullmatch(r"ZeroDivisionError in test_distributed\.py:\d+: division by zero", sent[0].message)


def test_a_lost_process_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(values: list[Any], value: Any) -> None:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(dist, "all_gather_object", fail)
    with pytest.raises(ProcessLostError, match="another process of this run has ended"):
        ProcessGroup(Rank(0, 2)).wait_for_all()
    assert issubclass(ProcessLostError, KeyboardInterrupt)


def test_tensors_of_all_types_are_broadcast(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Tensor] = []
    tensors = [
        torch.tensor(7),
        torch.tensor([True, False]),
        torch.tensor([[1.5, 2.5]]),
        torch.tensor([3], dtype=torch.int8),
    ]
    monkeypatch.setattr(dist, "broadcast", lambda packed, src: sent.append(packed.clone()))
    ProcessGroup(Rank(0, 2)).broadcast_tensors(tensors)
    received = [torch.zeros_like(tensor) for tensor in tensors]
    monkeypatch.setattr(dist, "broadcast", lambda packed, src: packed.copy_(sent[0]))
    ProcessGroup(Rank(1, 2)).broadcast_tensors(received)
    assert all(torch.equal(*pair) for pair in zip(tensors, received, strict=True))


def test_processes_that_start_from_different_states_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProcessGroup, "gather_results", lambda self, work: [work(), (4, "0" * 64)])
    with pytest.raises(ValueError, match=r"different states \(iteration 0 and parameters , iteration 4"):
        fit(small_spec(), tmp_path / "checkpoint.pt")


def test_the_first_process_of_a_run_cannot_assist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FAILURE_DELAY_S", 0.0)
    with pytest.raises(ValueError, match="this is the first or only process of the run: call execute"):
        assist(small_spec(), store=Store(tmp_path))
