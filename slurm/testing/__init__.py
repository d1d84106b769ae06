"""A real SLURM cluster on one host: for tests, and for trying things out with `python -m slurm.testing up`."""

from slurm.testing.cluster import Cluster, stop_abandoned
from slurm.testing.commands import ClusterError, missing_programs, obstacle
from slurm.testing.layout import Layout

__all__ = ["Cluster", "ClusterError", "Layout", "missing_programs", "obstacle", "stop_abandoned"]
