"""A real SLURM cluster on one host: for tests, and for trying things out with `python -m slurm.testing up`."""

from slurm.testing.cluster.cluster import Cluster, stop_abandoned
from slurm.testing.cluster.layout import Layout
from slurm.testing.cluster.programs import ClusterError, missing_programs, obstacle

__all__ = ["Cluster", "ClusterError", "Layout", "missing_programs", "obstacle", "stop_abandoned"]
