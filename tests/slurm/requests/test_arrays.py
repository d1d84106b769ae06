"""Which runs go into which array."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.run_spec import RunSpec
from slurm.requests.arrays import arranged, fitting
from slurm.requests.profile import SlurmProfile
from tests.report.world import spec_of


def _profile(methods: dict[str, dict[str, Any]] | None = None, **base: Any) -> SlurmProfile:
    return SlurmProfile.model_validate({"name": "p", "executor": "slurm", "base": base, "methods": methods or {}})


def _specs(count: int, *, method: str = "a", **changes: Any) -> list[RunSpec]:
    return [spec_of(seed=seed).model_copy(update={"method": method} | changes) for seed in range(count)]


def _sizes(arrays: list[Any]) -> list[list[int]]:
    return [[len(ids) for ids in array.tasks] for array in arrays]


def test_runs_that_ask_for_the_same_share_an_array() -> None:
    specs = [*_specs(2, method="a"), *_specs(2, method="b"), *_specs(1, method="c")]
    arrays = arranged(specs, profile=_profile({"b": {"mem_gb": 8}}), study="s", largest=100)
    assert [[run_id[0] for ids in array.tasks for run_id in ids] for array in arrays] == [["a", "a", "c"], ["b", "b"]]
    assert [array.resources.mem_gb for array in arrays] == [None, 8]


def test_runs_of_one_job_are_packed_and_none_is_lost() -> None:
    specs = _specs(5)
    (array,) = arranged(specs, profile=_profile(runs_per_job=2), study="s", largest=100)
    assert _sizes([array]) == [[2, 2, 1]] and array.runs == 5
    assert [run_id for ids in array.tasks for run_id in ids] == [spec.id for spec in specs]


def test_no_array_is_larger_than_the_cluster_allows() -> None:
    assert _sizes(arranged(_specs(5), profile=_profile(), study="s", largest=2)) == [[1, 1], [1, 1], [1]]


@pytest.mark.parametrize(("room", "kept", "waiting"), [(None, 5, 0), (3, 3, 2), (0, 0, 5), (-4, 0, 5)])
def test_what_the_queue_has_no_room_for_waits(room: int | None, kept: int, waiting: int) -> None:
    arrays = arranged(_specs(5), profile=_profile(), study="s", largest=2)
    found, left = fitting(arrays, room)
    assert (sum(array.runs for array in found), left) == (kept, waiting)


def test_room_is_counted_in_elements_and_waiting_in_runs() -> None:
    arrays = arranged(_specs(5), profile=_profile(runs_per_job=2), study="s", largest=9)
    found, left = fitting(arrays, 2)
    assert (_sizes(found), left) == ([[2, 2]], 1)


def test_a_run_is_not_spread_over_another_number_of_tasks_than_its_shards() -> None:
    with pytest.raises(ValueError, match=r"budget.micro_batches=1, and its job would have 2 tasks"):
        arranged(_specs(1), profile=_profile(nodes=2), study="s", largest=9)
