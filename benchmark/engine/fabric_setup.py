"""Lightning Fabric for a process that works alone, or as one of the tasks of a SLURM job."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch

from benchmark.engine.place import Place


@contextmanager
def _unseen(package: str) -> Iterator[None]:
    """An import of this package fails meanwhile; where it is loaded already nothing changes."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # this is how Python spells it
    try:
        yield
    finally:
        del sys.modules[package]


# Fabric imports all of torchmetrics only to see its version, which takes longer than torch itself
with _unseen("torchmetrics"):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy


def open_fabric(place: Place, *, accelerator: str, precision: str) -> Fabric:
    """Fabric with its device and precision; of several processes, each waits here for all others.

    Args:
        accelerator: "auto", "cpu" or "cuda".
        precision: of the forward passes.

    Raises:
        RuntimeError: the other processes were not met in time.
    """
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    settings: dict[str, Any] = {"accelerator": accelerator, "devices": 1, "precision": cast(Any, precision)}
    if place.is_alone:
        # its own environment, as a job's SLURM variables would be taken for a request of several processes
        return Fabric(**settings, plugins=LightningEnvironment())
    job = _Job(auto_requeue=False)
    devices = _devices(accelerator, count=int(os.environ["SLURM_NTASKS_PER_NODE"]))
    fabric = Fabric(**settings, num_nodes=_nodes(), strategy=_Together(parallel_devices=devices), plugins=job)
    threads = torch.get_num_threads()
    fabric.launch()
    torch.set_num_threads(threads)  # launching shares the processors out anew; sums would differ in the last bit
    return fabric


class _Job(SLURMEnvironment):
    """SLURM's variables; on one node the processes meet at its own address, however nodes are named."""

    @property
    def main_address(self) -> str:
        """Where the first process is met."""
        return os.environ.get("MASTER_ADDR", "127.0.0.1") if _nodes() == 1 else super().main_address


class _Together(DDPStrategy):
    """A process group without DDP's own reduction, whose sums depend on the number of processes."""

    def setup_module(self, module: torch.nn.Module) -> torch.nn.Module:  # type: ignore[override]
        """The module as it is."""
        return module


def _nodes() -> int:
    return int(os.environ.get("SLURM_NNODES", "1"))


def _devices(accelerator: str, *, count: int) -> list[torch.device]:
    """One for each process of a node; where each sees only its own GPU, that one."""
    if accelerator == "cpu":
        return [torch.device("cpu")] * count
    return [torch.device("cuda", at % torch.cuda.device_count()) for at in range(count)]
