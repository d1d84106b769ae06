"""Real SLURM cluster on one host, for tests and for trying things out with `python -m slurm.testing up`."""

from slurm.testing.cluster.cluster import Cluster, stop_abandoned_clusters
from slurm.testing.cluster.layout import ClusterLayout
from slurm.testing.cluster.programs import ClusterError, find_missing_programs, find_obstacle

__all__ = [
    "Cluster",
    "ClusterError",
    "ClusterLayout",
    "find_missing_programs",
    "find_obstacle",
    "stop_abandoned_clusters",
]
