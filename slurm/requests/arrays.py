"""Job arrays of a grid: one kind of job per array, and no array larger than the cluster allows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from benchmark.core.run_spec import RunSpec
from slurm.requests.profile import SlurmProfile
from slurm.requests.resources import JobResources

T = TypeVar("T")


@dataclass(frozen=True)
class JobArray:
    """A job array to submit.

    Attributes:
        resources: Resources of each element.
        tasks: IDs of the runs of each element.
    """

    resources: JobResources
    tasks: tuple[tuple[str, ...], ...]

    @property
    def num_runs(self) -> int:
        """Number of runs in all elements."""
        return sum(map(len, self.tasks))


def make_arrays(specs: Sequence[RunSpec], *, profile: SlurmProfile, study: str, max_size: int) -> list[JobArray]:
    """Distribute runs over job arrays, keeping their order.

    Args:
        specs: Runs to submit.
        profile: Profile of the cluster.
        study: Name of the plan, for which the profile may have its own settings.
        max_size: Largest number of elements in an array.

    Raises:
        ValueError: A run is spread over a different number of tasks than its job would have.
    """
    kinds = {(spec.method, spec.variant) for spec in specs}
    resources_of = {kind: profile.get_resources(study=study, method=kind[0], variant=kind[1]) for kind in kinds}
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        resources = resources_of[spec.method, spec.variant]
        _check_tasks(spec, resources)
        groups.setdefault(resources.canonical(), []).append(spec)
    arrays: list[JobArray] = []
    for members in groups.values():
        resources = resources_of[members[0].method, members[0].variant]
        tasks = tuple(tuple(spec.id for spec in chunk) for chunk in split_chunks(members, resources.runs_per_job))
        arrays += [JobArray(resources, chunk) for chunk in split_chunks(tasks, max_size)]
    return arrays


def fit_queue(arrays: Sequence[JobArray], free_slots: int | None) -> tuple[list[JobArray], int]:
    """Cut arrays down to the free places in the queue.

    Args:
        arrays: Arrays to submit.
        free_slots: Elements that the queue still takes; None if it has no limit.

    Returns:
        The arrays that fit, and the number of runs that have to wait.
    """
    if free_slots is None:
        return list(arrays), 0
    kept: list[JobArray] = []
    for array in arrays:
        tasks = array.tasks[: max(0, free_slots)]
        free_slots -= len(tasks)
        kept += [replace(array, tasks=tasks)] if tasks else []
    return kept, sum(array.num_runs for array in arrays) - sum(array.num_runs for array in kept)


def split_chunks(items: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    """Yield the items in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])


def _check_tasks(spec: RunSpec, resources: JobResources) -> None:
    """Check that a job has one task, or one per micro-batch of its run."""
    tasks, micro_batches = resources.tasks, spec.budget.micro_batches
    if tasks not in (1, micro_batches):
        raise ValueError(
            f"{spec.id} has budget.micro_batches={micro_batches}, but its job would have {tasks} tasks "
            f"(nodes x tasks_per_node): set budget.micro_batches={tasks}, or give the job one task"
        )
