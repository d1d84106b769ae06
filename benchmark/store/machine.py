"""The machine of this process as records describe it."""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache
from pathlib import Path

from benchmark.core.environment import Gpu, Machine, TorchFlags
from benchmark.utils.instruction_set import list_variables, read_cpu_info

MKL_BRANCHES = {
    0: "off",
    1: "auto",
    2: "AUTO",
    3: "COMPATIBLE",
    4: "SSE2",
    6: "SSSE3",
    7: "SSE4_1",
    8: "SSE4_2",
    9: "AVX",
    10: "AVX2",
    11: "AVX512_MIC",
    12: "AVX512",
    13: "AVX512_MIC_E1",
    14: "AVX512_E1",
}
"""Names of the values of `mkl_cbwr_get`, see mkl_types.h; 1 says that the user chose none."""
MKL_STRICT = 0x10000
"""Bit of `mkl_cbwr_get` for the strict mode."""
_MKL_CBWR_ALL = -1
_DRIVER_VERSION = Path("/sys/module/nvidia/version")


def describe_machine() -> Machine:
    """Return the machine of this process and the switches that are in force now."""
    import torch

    cpu = read_cpu_info()
    return Machine(
        cpu_vendor=cpu.get("vendor_id", ""),
        cpu_family=cpu.get("cpu family", ""),
        cpu_model=cpu.get("model", ""),
        cpu_name=cpu.get("model name", "") or platform.processor(),
        libc=" ".join(filter(None, platform.libc_ver())),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        mkl_branch=_read_mkl_branch(),
        variables=list_variables(),
        flags=_read_flags(),
        gpu=_describe_gpu() if torch.cuda.is_available() else None,
    )


def _read_flags() -> TorchFlags:
    import torch

    return TorchFlags(
        tf32_matmul=torch.backends.cuda.matmul.allow_tf32,
        tf32_cudnn=torch.backends.cudnn.allow_tf32,
        deterministic=torch.are_deterministic_algorithms_enabled(),
        cudnn_deterministic=torch.backends.cudnn.deterministic,
        cudnn_benchmark=torch.backends.cudnn.benchmark,
    )


def _describe_gpu() -> Gpu:
    import torch

    major, minor = torch.cuda.get_device_capability()
    return Gpu(
        name=torch.cuda.get_device_name(),
        compute_capability=f"{major}.{minor}",
        driver=_read_driver_version(),
        cuda=torch.version.cuda or "",
        cudnn=str(torch.backends.cudnn.version() or ""),
        visible=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
    )


def _read_driver_version() -> str:
    try:
        return _DRIVER_VERSION.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@cache
def _read_mkl_branch() -> str:
    """Return the code path setting that MKL itself reports; empty if torch has no MKL."""
    import torch

    if not torch.backends.mkl.is_available():
        return ""
    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        value = int(library.mkl_serv_cbwr_get(_MKL_CBWR_ALL))
    except (OSError, AttributeError):
        return "unknown"
    strict = ",STRICT" if value & MKL_STRICT else ""
    return MKL_BRANCHES.get(value & ~MKL_STRICT, str(value)) + strict
