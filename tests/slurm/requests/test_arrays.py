"""Distribution of runs over job arrays."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.run_spec import RunSpec
from slurm.requests.arrays import fit_queue, make_arrays
from slurm.requests.profile import SlurmProfile
from tests.report.world import spec_of


def _profile(methods: dict[str, dict[str, Any]] | None = None, **base: Any) -> SlurmProfile:
    return SlurmProfile.model_validate({"name": "p", "executor": "slurm", "base": base, "methods": methods or {}})


def _specs(count: int, *, method: str = "a", **changes: Any) -> list[RunSpec]:
    return [spec_of(seed=seed).model_copy(update={"method": method} | changes) for seed in range(count)]


def _sizes(arrays: list[Any]) -> list[list[int]]:
    return [[len(ids) for ids in array.tasks] for array in arrays]


def test_runs_with_the_same_requests_share_an_array() -> None:
    specs = [*_specs(2, method="a"), *_specs(2, method="b"), *_specs(1, method="c")]
    arrays = make_arrays(specs, profile=_profile({"b": {"mem_gb": 8}}), study="s", max_size=100)
    assert [[run_id[0] for ids in array.tasks for run_id in ids] for array in arrays] == [["a", "a", "c"], ["b", "b"]]
    assert [array.resources.mem_gb for array in arrays] == [None, 8]


def test_runs_of_one_job_are_packed_and_none_is_lost() -> None:
    specs = _specs(5)
    (array,) = make_arrays(specs, profile=_profile(runs_per_job=2), study="s", max_size=100)
    assert _sizes([array]) == [[2, 2, 1]] and array.num_runs == 5
    assert [run_id for ids in array.tasks for run_id in ids] == [spec.id for spec in specs]


def test_no_array_is_larger_than_the_cluster_allows() -> None:
    assert _sizes(make_arrays(_specs(5), profile=_profile(), study="s", max_size=2)) == [[1, 1], [1, 1], [1]]


@pytest.mark.parametrize(("room", "kept", "waiting"), [(None, 5, 0), (3, 3, 2), (0, 0, 5), (-4, 0, 5)])
def test_runs_that_the_queue_has_no_room_for_wait(room: int | None, kept: int, waiting: int) -> None:
    arrays = make_arrays(_specs(5), profile=_profile(), study="s", max_size=2)
    fitting, num_left = fit_queue(arrays, room)
    assert (sum(array.num_runs for array in fitting), num_left) == (kept, waiting)


def test_room_is_counted_in_elements_and_waiting_in_runs() -> None:
    arrays = make_arrays(_specs(5), profile=_profile(runs_per_job=2), study="s", max_size=9)
    fitting, num_left = fit_queue(arrays, 2)
    assert (_sizes(fitting), num_left) == ([[2, 2]], 1)


def test_a_run_has_as_many_tasks_as_micro_batches_or_one() -> None:
    with pytest.raises(ValueError, match=r"budget.micro_batches=1, but its job would have 2 tasks"):
        make_arrays(_specs(1), profile=_profile(nodes=2), study="s", max_size=9)
