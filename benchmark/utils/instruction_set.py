"""One instruction set for arithmetic on every x86-64 processor with AVX2.

The numerical libraries of torch choose their code by processor, and each choice adds in another order, so that a result
has other last bits on another processor, and after training other counts. The variables are read when a library
computes for the first time: they have to be set before torch is used.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

PINS = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}
"""Variables for torch's own kernels, oneDNN and MKL, with the value that gives the same code on every such processor.

MKL knows no vendor-independent AVX2: with any other value, products differ between AMD and Intel.
"""
SYNONYMS = {"ONEDNN_MAX_CPU_ISA": "DNNL_MAX_CPU_ISA"}
"""Second names of pinned variables."""
VARIABLE_PREFIXES = (
    "ATEN_CPU_",
    "DNNL_",
    "ONEDNN_",
    "MKL_CBWR",
    "MKL_DEBUG_CPU",
    "MKL_ENABLE_INSTR",
    "NPY_DISABLE_CPU",
)
"""Beginnings of the names of variables that choose instruction sets or code paths."""
_CPU_INFO = Path("/proc/cpuinfo")


def pin_instruction_set() -> None:
    """Set the variables of `PINS` that the user has not set, if the processor is x86-64 with AVX2.

    Nothing is set in a process that has loaded torch, because torch may have computed already: a record has to show
    what was in force.
    """
    if "torch" in sys.modules or not has_avx2():
        return
    os.environ.update({name: value for name, value in PINS.items() if _read_variable(name) is None})


def list_unpinned() -> list[str]:
    """Return the variables of `PINS` that have another value or none; empty for a processor without AVX2."""
    return [name for name, value in PINS.items() if _read_variable(name) != value] if has_avx2() else []


def has_avx2() -> bool:
    """Return whether this is an x86-64 processor with AVX2; False if it cannot be read."""
    return platform.machine() in ("x86_64", "AMD64") and "avx2" in read_cpu_info().get("flags", "").split()


def list_variables() -> dict[str, str]:
    """Return the environment variables of this process that choose instruction sets or code paths."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(VARIABLE_PREFIXES)}


def read_cpu_info() -> dict[str, str]:
    """Return what the kernel says of the first processor, by name; empty if there is no such file."""
    entries: dict[str, str] = {}
    try:
        with _CPU_INFO.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                name, separator, value = line.partition(":")
                if not separator and entries:
                    break
                entries[name.strip()] = value.strip()
    except OSError:
        return {}
    return entries


def _read_variable(name: str) -> str | None:
    return os.environ.get(name, os.environ.get(SYNONYMS.get(name, name)))
