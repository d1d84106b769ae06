"""Runs to submit, and their destination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.core.run_spec import RunSpec
from benchmark.store.store import Store
from slurm.requests.profile import SlurmProfile
from slurm.requests.sbatch import find_requested_clusters


@dataclass(frozen=True)
class Grid:
    """Runs to submit, and their destination.

    Attributes:
        ids: IDs of all runs.
        specs: Function that returns the specs of some of the runs.
        store: Store of the runs; the nodes must see it under the same path.
        study: Name of the plan.
        profile: Profile of the cluster.
        retry: Whether failed runs are submitted too.
    """

    ids: Sequence[str]
    specs: Callable[[Sequence[str]], Sequence[RunSpec]]
    store: Store
    study: str
    profile: SlurmProfile
    retry: bool = False

    @property
    def cluster(self) -> str:
        """Cluster that is asked for its limits: the first that profile or shell select, or empty for the default."""
        return find_requested_clusters(self.profile.get_resources(study=self.study)).split(",")[0]
