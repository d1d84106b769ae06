"""Which runs go into which job array: one kind of job an array, no array larger than the cluster allows. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from benchmark.core.run_spec import RunSpec
from slurm.requests.profile import SlurmProfile
from slurm.requests.resources import Resources

T = TypeVar("T")


@dataclass(frozen=True)
class Array:
    """One array to send.

    Attributes:
        resources: what each of its elements asks for.
        tasks: for each element, the ids of its runs.
    """

    resources: Resources
    tasks: tuple[tuple[str, ...], ...]

    @property
    def runs(self) -> int:
        """How many runs it holds."""
        return sum(map(len, self.tasks))


def arranged(specs: Sequence[RunSpec], *, profile: SlurmProfile, study: str, largest: int) -> list[Array]:
    """Arrays for some runs, in the order in which they are given.

    Args:
        specs: what to run.
        profile: of the cluster.
        study: what the plan is called, as the profile may have settings for it.
        largest: elements an array may have.

    Raises:
        ValueError: a run is spread over another number of tasks than its job would have.
    """
    kinds = {(spec.method, spec.variant) for spec in specs}
    wanted = {kind: profile.resources(study=study, method=kind[0], variant=kind[1]) for kind in kinds}
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        resources = wanted[spec.method, spec.variant]
        _check_tasks(spec, resources)
        groups.setdefault(resources.canonical(), []).append(spec)
    arrays: list[Array] = []
    for members in groups.values():
        resources = wanted[members[0].method, members[0].variant]
        tasks = tuple(tuple(spec.id for spec in pack) for pack in chunks(members, resources.runs_per_job))
        arrays += [Array(resources, part) for part in chunks(tasks, largest)]
    return arrays


def fitting(arrays: Sequence[Array], room: int | None) -> tuple[list[Array], int]:
    """As much of the arrays as there is room for in the queue, and how many runs have to wait.

    Args:
        arrays: to send.
        room: elements; None for no limit.
    """
    if room is None:
        return list(arrays), 0
    kept: list[Array] = []
    for array in arrays:
        part = array.tasks[: max(0, room)]
        room -= len(part)
        kept += [replace(array, tasks=part)] if part else []
    return kept, sum(array.runs for array in arrays) - sum(array.runs for array in kept)


def chunks(items: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    """The items in order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])


def _check_tasks(spec: RunSpec, resources: Resources) -> None:
    tasks, micro_batches = resources.tasks, spec.budget.micro_batches
    if tasks not in (1, micro_batches):
        raise ValueError(
            f"{spec.id} has budget.micro_batches={micro_batches}, and its job would have {tasks} tasks (nodes x tasks_per_node): "
            f"set budget.micro_batches={tasks}, or give the job one task"
        )
