"""Lightning Fabric for a process that works alone, or as one of the tasks of a SLURM job."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch

from benchmark.engine.device import choose_device
from benchmark.engine.distributed import Rank


@contextmanager
def _hide_package(package: str) -> Iterator[None]:
    """Make imports of a package fail within the context, unless the package is loaded already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # Python's way to block an import
    try:
        yield
    finally:
        del sys.modules[package]


# Fabric imports all of torchmetrics only to check its version, which takes longer than the import of torch
with _hide_package("torchmetrics"):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy


def open_fabric(rank: Rank, *, accelerator: str, precision: str) -> Fabric:
    """Set up Fabric with device and precision; each of several processes waits here for all others.

    Args:
        rank: Rank of this process.
        accelerator: "auto", "cpu" or "cuda".
        precision: Precision of the forward passes.

    Raises:
        RuntimeError: The other processes did not connect in time.
    """
    if accelerator == "auto":
        accelerator = choose_device().type
    options: dict[str, Any] = {"accelerator": accelerator, "devices": 1, "precision": cast(Any, precision)}
    if rank.is_alone:
        # not the environment that Fabric detects: it would start several processes because of SLURM's variables
        return Fabric(**options, plugins=LightningEnvironment())
    environment = _JobEnvironment(auto_requeue=False)
    devices = _list_devices(accelerator, count=int(os.environ["SLURM_NTASKS_PER_NODE"]))
    strategy = _PlainProcessGroup(parallel_devices=devices)
    fabric = Fabric(**options, num_nodes=_count_nodes(), strategy=strategy, plugins=environment)
    threads = torch.get_num_threads()
    fabric.launch()
    torch.set_num_threads(threads)  # launching changes the number of threads, and sums would differ in the last bit
    return fabric


class _JobEnvironment(SLURMEnvironment):
    """SLURM's variables; processes on one node connect through the local address, whatever the node's name."""

    @property
    def main_address(self) -> str:
        """Address of the first process."""
        return os.environ.get("MASTER_ADDR", "127.0.0.1") if _count_nodes() == 1 else super().main_address


class _PlainProcessGroup(DDPStrategy):
    """A process group without DDP's gradient reduction, whose sums depend on the number of processes."""

    def setup_module(self, module: torch.nn.Module) -> torch.nn.Module:  # type: ignore[override]
        """Return the module unchanged."""
        return module


def _count_nodes() -> int:
    return int(os.environ.get("SLURM_NNODES", "1"))


def _list_devices(accelerator: str, *, count: int) -> list[torch.device]:
    """Return the device of each process of a node; if every process sees one GPU only, that GPU."""
    if accelerator == "cpu":
        return [torch.device("cpu")] * count
    return [torch.device("cuda", index % torch.cuda.device_count()) for index in range(count)]
