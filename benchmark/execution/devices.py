"""GPUs of this machine and how runs share them: every run sees one GPU, and the runs are distributed evenly.

A GPU is named as in CUDA_VISIBLE_DEVICES: by its number, or by its UUID or that of a MIG instance.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

NO_GPU = "-1"
"""Value of CUDA_VISIBLE_DEVICES that hides every GPU."""
_DEVICE = re.compile(r"cpu|cuda(:\d+)?")


def list_gpus() -> tuple[str, ...]:
    """Return the names of the GPUs that this process may use, in the order of torch."""
    import torch

    return name_gpus(torch.cuda.device_count(), os.environ)


def name_gpus(count: int, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of visible GPUs in the order of torch.

    Of several MIG instances, CUDA shows only the first to a process; as every run is a process of its own, all count.

    Args:
        count: Number of GPUs that CUDA shows to this process.
        environment: Environment variables. CUDA_VISIBLE_DEVICES is set by users and by schedulers, which restrict a job
            to the GPUs that it was given.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    listed = [name.strip() for name in (visible or "").split(",")]
    names = list(map(str, range(count))) if visible is None else list(filter(None, listed))
    is_mig = count > 0 and all(name.startswith("MIG-") for name in names)
    return tuple(names if is_mig else names[:count])


def choose_devices(request: str | None, gpus: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the GPUs that the runs are distributed over.

    Args:
        request: "cpu", "cuda" for all GPUs, or GPUs in torch's numbering, separated by commas, such as "cuda:0,cuda:1";
            None for all GPUs or, if there is none, the CPU.
        gpus: Names of the visible GPUs.

    Returns:
        Names, each once; `NO_GPU` alone if GPUs are to be hidden; empty if there is nothing to restrict.

    Raises:
        ValueError: The request cannot be read, or there is no such GPU here.
    """
    if request is None:
        return tuple(gpus)
    parts = [part.strip() for part in request.split(",")]
    if not all(map(_DEVICE.fullmatch, parts)) or ("cpu" in parts and set(parts) != {"cpu"}):
        raise ValueError(f"unknown device {request!r}: give cpu, cuda, cuda:1 or several GPUs such as cuda:0,cuda:1")
    if "cpu" in parts:
        return (NO_GPU,)
    if not gpus:
        raise ValueError(
            f"device {request!r} is not available: {_explain_no_gpu(os.environ)}; --device cpu uses the CPU"
        )
    if "cuda" in parts:
        return tuple(gpus)
    numbers = [int(part.partition(":")[2]) for part in parts]
    if max(numbers) >= len(gpus):
        known = ", ".join(f"cuda:{number}" for number in range(len(gpus)))
        raise ValueError(f"device 'cuda:{max(numbers)}' is not available: the GPUs that this process sees are {known}")
    return tuple(dict.fromkeys(gpus[number] for number in numbers))


def choose_least_used(devices: Sequence[str], used: Iterable[str]) -> str:
    """Return the device with the fewest runs, the first of several; empty if there are no devices to choose from.

    Args:
        devices: Names of the devices.
        used: Device of each run that is at work.
    """
    runs_by_device = Counter(used)
    return min(devices, key=lambda device: runs_by_device[device], default="")


def count_jobs(devices: Sequence[str], *, cores: int, threads: int) -> int:
    """Return the number of runs at a time: one per GPU or, on the CPU, as many as there are cores for.

    Args:
        devices: Devices as `choose_devices` returns them.
        cores: Number of processors that this process may use.
        threads: CPU threads of each run.
    """
    gpus = [device for device in devices if device != NO_GPU]
    return len(gpus) or max(1, cores // threads)


def _explain_no_gpu(environment: Mapping[str, str]) -> str:
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    reason = "torch finds no CUDA device on this machine"
    return reason if visible is None else f"{reason} with CUDA_VISIBLE_DEVICES={visible!r}"


def describe_devices(devices: Sequence[str]) -> str:
    """Describe devices that were chosen, in a few words; empty if there is nothing to choose from."""
    if devices == (NO_GPU,):
        return "the CPU"
    names = ", ".join(devices)
    return f"GPU{'s'[: len(devices) - 1]} {names}" if devices else ""
