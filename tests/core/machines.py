"""Machines and environments as records describe them, without reading a real one."""

from __future__ import annotations

from typing import Any

from benchmark.core.environment import Environment, Gpu, Machine, TorchFlags

FLAGS = TorchFlags(
    tf32_matmul=False, tf32_cudnn=False, deterministic=False, cudnn_deterministic=False, cudnn_benchmark=False
)
GPU = Gpu(name="Test GPU", compute_capability="9.0", driver="580.1", cuda="13.0", cudnn="92400")
PINNED = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


def make_machine(**changes: Any) -> Machine:
    """Return an x86-64 machine with the pinned instruction set."""
    fields: dict[str, Any] = {
        "cpu_vendor": "AuthenticAMD",
        "cpu_family": "26",
        "cpu_model": "2",
        "cpu_name": "Test CPU",
        "libc": "glibc 2.36",
        "cpu_capability": "AVX2",
        "mkl_branch": "COMPATIBLE",
        "variables": PINNED,
        "flags": FLAGS,
    }
    return Machine(**fields | changes)


def make_environment(*, threads: int = 1, **changes: Any) -> Environment:
    """Return an environment on a machine with these changes.

    Args:
        threads: CPU threads of torch.
        changes: Fields of the machine.
    """
    return Environment(
        commit="",
        python="3.11",
        packages={},
        platform="Linux",
        device="cpu (test)",
        threads=threads,
        machine=make_machine(**changes),
    )
