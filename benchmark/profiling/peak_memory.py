"""Memory that a piece of work takes at its peak, and the tensors that a forward pass keeps for the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.profiling.process_memory import get_memory_mb, get_peak_memory_mb

MB = 2**20
_CLEAR = Path("/proc/self/clear_refs")


@dataclass
class PeakMemory:
    """Peak of a piece of work; the numbers are set when it has ended.

    Attributes:
        total_mb: Peak of the process: resident memory on a CPU, allocated memory on a GPU.
        added_mb: The same without what was there before.
    """

    total_mb: float = 0.0
    added_mb: float = 0.0


@contextmanager
def watch_peak_memory(device: torch.device) -> Iterator[PeakMemory]:
    """Measure the peak memory within the context on the device of a method."""
    peak = PeakMemory()
    before = _reset(device)
    yield peak
    peak.total_mb = torch.cuda.max_memory_allocated() / MB if device.type == "cuda" else get_peak_memory_mb()
    peak.added_mb = max(0.0, peak.total_mb - before)


def get_used_memory_mb(device: torch.device) -> float:
    """Return the memory of this process: resident on a CPU, allocated on a GPU."""
    return torch.cuda.memory_allocated() / MB if device.type == "cuda" else get_memory_mb()


def get_free_memory_mb(device: torch.device) -> float:
    """Return the memory that is free on a device: of a GPU, or of this machine as far as Linux reports it."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info()[0] / MB)
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1024
    return float("inf")


class SavedTensors:
    """Size of the tensors that autograd keeps within the context, each storage once, without those of a module.

    Attributes:
        total_mb: Their size.
    """

    def __init__(self, module: nn.Module) -> None:
        tensors = [*module.parameters(), *module.buffers()]
        self._known = {tensor.untyped_storage().data_ptr() for tensor in tensors}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._add, lambda tensor: tensor)
        self.total_mb = 0.0

    def __enter__(self) -> SavedTensors:
        self._hooks.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._hooks.__exit__(*details)

    def _add(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()  # kept tensors are alive until the backward pass: no address comes twice
        if storage.data_ptr() not in self._known:
            self._known.add(storage.data_ptr())
            self.total_mb += storage.nbytes() / MB
        return tensor


def _reset(device: torch.device) -> float:
    """Let the peak begin at the memory in use now, as far as the system allows it, and return that memory in MB."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        with suppress(OSError):
            _CLEAR.write_text("5", encoding="ascii")
    return get_used_memory_mb(device)
