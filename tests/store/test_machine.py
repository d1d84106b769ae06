"""The machine of this process: what torch, MKL and the kernel report."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmark.store import machine
from benchmark.store.machine import describe_machine


def test_the_record_says_what_torch_says() -> None:
    described = describe_machine()
    assert described.cpu_capability == torch.backends.cpu.get_cpu_capability()
    assert described.gpu is None
    assert not described.flags.deterministic


def test_switches_are_read_when_the_machine_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    flags = describe_machine().flags
    assert (flags.tf32_cudnn, flags.cudnn_benchmark) == (False, True)


def test_variables_that_choose_code_paths_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "SSE4_2")
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    variables = describe_machine().variables
    assert variables["MKL_ENABLE_INSTRUCTIONS"] == "SSE4_2"
    assert "MKL_NUM_THREADS" not in variables


def test_a_gpu_is_described_with_driver_and_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").write_text("580.65\n")
    monkeypatch.setattr(machine, "_DRIVER_VERSION", tmp_path / "version")
    answers = {"is_available": True, "device_count": 1, "get_device_capability": (9, 0), "get_device_name": "GPU"}
    for name, value in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1")
    gpu = describe_machine().gpu
    assert gpu is not None
    assert (gpu.name, gpu.compute_capability, gpu.driver, gpu.visible) == ("GPU", "9.0", "580.65", "MIG-1")


def test_the_driver_is_unknown_without_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DRIVER_VERSION", tmp_path / "absent")
    assert machine._read_driver_version() == ""
