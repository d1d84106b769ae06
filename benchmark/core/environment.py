"""Code, packages and machine that a result was computed with, and how two of them differ."""

from __future__ import annotations

from typing import Any

from benchmark.utils.frozen_model import FrozenModel


class Gpu(FrozenModel):
    """A CUDA device and the libraries that compute on it.

    Attributes:
        name: Name of the device.
        compute_capability: Major and minor number, such as "9.0".
        driver: Version of the NVIDIA driver; empty if it cannot be read.
        cuda: Version of CUDA that torch was built with.
        cudnn: Version of cuDNN; empty without cuDNN.
        visible: CUDA_VISIBLE_DEVICES of the process, which names the device on its machine; empty if it was not set.
    """

    name: str
    compute_capability: str
    driver: str
    cuda: str
    cudnn: str
    visible: str = ""


class TorchFlags(FrozenModel):
    """Switches of torch that decide which kernels run.

    Attributes:
        tf32_matmul: Whether matrix products on a GPU may use TF32.
        tf32_cudnn: Whether cuDNN may use TF32.
        deterministic: Whether deterministic algorithms are requested.
        cudnn_deterministic: Whether cuDNN is restricted to deterministic algorithms.
        cudnn_benchmark: Whether cuDNN selects algorithms by their measured time.
    """

    tf32_matmul: bool
    tf32_cudnn: bool
    deterministic: bool
    cudnn_deterministic: bool
    cudnn_benchmark: bool


class Machine(FrozenModel):
    """Hardware, numerical libraries and switches that decide the last bits of a result.

    Attributes:
        cpu_vendor: Vendor as the processor reports it, such as "GenuineIntel"; empty if unknown, as for the next three.
        cpu_family: Number of the processor family.
        cpu_model: Number of the model within the family.
        cpu_name: Name of the model.
        libc: C library with its version, whose functions Python's `math` calls; empty if unknown.
        cpu_capability: Instruction set of torch's own kernels, such as "AVX2".
        mkl_branch: Code path setting that MKL reports, such as "COMPATIBLE"; empty if torch has no MKL.
        variables: Environment variables in force that choose instruction sets or code paths.
        flags: Switches of torch.
        gpu: CUDA device; None for a run on the CPU.
    """

    cpu_vendor: str
    cpu_family: str
    cpu_model: str
    cpu_name: str
    libc: str
    cpu_capability: str
    mkl_branch: str
    variables: dict[str, str]
    flags: TorchFlags
    gpu: Gpu | None = None


class Environment(FrozenModel):
    """Commit, packages and machine of a run; in its record, but not part of its identity.

    Attributes:
        commit: Git commit, with "+" if the tree was dirty; empty outside a checkout.
        python: Version of Python.
        packages: Versions by distribution name.
        platform: Machine type.
        device: Name of the accelerator or processor.
        threads: CPU threads of torch; another number may change the last bit of sums.
        machine: Hardware, numerical libraries and switches.
    """

    commit: str
    python: str
    packages: dict[str, str]
    platform: str
    device: str
    threads: int
    machine: Machine


def describe_arithmetic(environment: Environment) -> str:
    """Describe in one phrase what decides the last bits of a result.

    Results of equal code, packages, inputs and phrase are expected to be equal, bit for bit.
    """
    machine, cpu = environment.machine, _describe_cpu(environment)
    if machine.gpu is not None:
        return f"{_describe_gpu(machine.gpu, machine.flags)}; CPU side: {cpu}"
    return cpu


def list_differences(original: Environment, other: Environment) -> dict[str, tuple[str, str]]:
    """Return the entries in which two environments differ, as (original, other) by name, such as "packages.torch".

    An entry that one of them lacks is "absent" there.
    """
    originals, others = _flatten(original.model_dump()), _flatten(other.model_dump())
    return {
        name: (originals.get(name, "absent"), others.get(name, "absent"))
        for name in sorted({*originals, *others})
        if originals.get(name) != others.get(name)
    }


def _describe_cpu(environment: Environment) -> str:
    """Describe the arithmetic of a processor, with its name if one of the libraries chooses its code by processor."""
    machine, threads = environment.machine, environment.threads
    onednn = machine.variables.get("ONEDNN_MAX_CPU_ISA") or machine.variables.get("DNNL_MAX_CPU_ISA")
    is_mkl_pinned = machine.mkl_branch in ("", "COMPATIBLE")
    mkl = f"MKL {machine.mkl_branch}" if is_mkl_pinned else f"MKL {machine.mkl_branch} by CPU"
    parts = [
        " ".join(filter(None, ("torch", environment.packages.get("torch"), machine.cpu_capability))),
        f"oneDNN up to {onednn}" if onednn else "oneDNN by CPU",
        mkl if machine.mkl_branch else "",
        "" if onednn and is_mkl_pinned else machine.cpu_name or "unknown CPU",
        f"{threads} thread" + ("s" if threads != 1 else ""),
    ]
    return ", ".join(filter(None, parts))


def _describe_gpu(gpu: Gpu, flags: TorchFlags) -> str:
    parts = [gpu.name, f"CUDA {gpu.cuda}", f"cuDNN {gpu.cudnn or 'none'}", f"driver {gpu.driver or 'unknown'}"]
    parts += ["TF32"] if flags.tf32_matmul or flags.tf32_cudnn else []
    parts += [] if flags.deterministic else ["not deterministic"]
    return ", ".join(parts)


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        elif value is not None:
            flat[prefix + name] = str(value)
    return flat
