"""Which part of a run falls to a process, and that runs in one part stay the runs they were."""

from __future__ import annotations

import pytest

from benchmark.core.budget import Budget
from benchmark.core.protocol import Protocol
from benchmark.core.run_spec import RunSpec
from benchmark.engine.fabric import FabricEngine
from benchmark.engine.place import Place, find_place
from benchmark.utils.frozen_model import canonical_json
from tests.engine.runs import small_spec

BUDGET = {
    "batch_size": 16,
    "clip_norm": 1.0,
    "init_images": 256,
    "iterations": 600,
    "learning_rate": 0.002,
    "precision": "32-true",
    "warmup": 0.05,
    "weight_decay": 0.01,
}


@pytest.mark.parametrize(
    ("micro_batches", "variables", "expected"),
    [
        (1, {}, Place()),
        (1, {"SLURM_NTASKS": "4", "SLURM_PROCID": "2"}, Place()),
        (2, {}, Place()),
        (2, {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, Place()),
        (4, {"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_STEP_ID": "0"}, Place(2, 4)),
    ],
)
def test_a_process_works_alone_or_on_one_shard(micro_batches: int, variables: dict[str, str], expected: Place) -> None:
    assert find_place(micro_batches, variables) == expected


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


def test_a_run_in_one_shard_has_the_id_it_had_before_there_were_shards() -> None:
    budget = Budget.model_validate(BUDGET)
    spec = RunSpec(
        method="m",
        variant="V",
        config={"a": 1},
        split="toybox",
        split_digest="0" * 64,
        protocol=Protocol(),
        dataset_fingerprint="1" * 64,
        seed=4,
        budget=budget,
    )
    assert budget.canonical() == canonical_json(BUDGET)
    assert spec.id == "m-v-toybox-s4-05a1ae4a75fa4aaf"


def test_a_run_in_shards_is_another_run_and_reads_as_it_was_written() -> None:
    spec = small_spec(budget__shards=2)
    assert RunSpec.model_validate_json(spec.canonical()) == spec
    assert spec.budget.model_dump()["micro_batches"] == 2
    assert spec.digest() != small_spec().digest()


def test_one_shard_may_be_asked_for() -> None:
    assert small_spec(budget__shards=1).overrides == {"budget.micro_batches": 1}


def test_shards_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="budget: micro_batches=3 does not divide batch_size=2"):
        small_spec(budget__shards=3)
