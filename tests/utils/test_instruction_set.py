"""One instruction set: set before torch is loaded, unless the user or the processor says otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.utils import instruction_set
from benchmark.utils.instruction_set import PINS, has_avx2, list_unpinned, pin_instruction_set, read_cpu_info
from benchmark.utils.paths import ROOT

CPU_INFO = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu avx {}\n\nprocessor\t: 1\nvendor_id\t: other\n"
NAMES = (*PINS, *instruction_set.SYNONYMS.values())


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make this a process without torch and without variables on an x86-64 processor with AVX2."""
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "cpuinfo").write_text(CPU_INFO.format("avx2"))
    monkeypatch.setattr(instruction_set, "_CPU_INFO", tmp_path / "cpuinfo")


def read_pins() -> dict[str, str]:
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def test_a_processor_with_avx2_is_pinned() -> None:
    pin_instruction_set()
    assert read_pins() == PINS
    assert list_unpinned() == []


def test_values_of_the_user_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "AUTO")
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX512_CORE")
    pin_instruction_set()
    assert read_pins() == {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AUTO", "DNNL_MAX_CPU_ISA": "AVX512_CORE"}
    assert list_unpinned() == ["ONEDNN_MAX_CPU_ISA", "MKL_CBWR"]


def test_nothing_is_set_once_torch_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)
    pin_instruction_set()
    assert read_pins() == {}
    assert list_unpinned() == list(PINS)


@pytest.mark.parametrize("machine, flag", [("aarch64", "avx2"), ("x86_64", "avx512f")])
def test_another_processor_is_left_alone(machine: str, flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    instruction_set._CPU_INFO.write_text(CPU_INFO.format(flag))
    pin_instruction_set()
    assert not has_avx2() and read_pins() == {} and list_unpinned() == []


def test_only_the_first_processor_is_read() -> None:
    assert read_cpu_info() == {"processor": "0", "vendor_id": "GenuineIntel", "flags": "fpu avx avx2"}


def test_a_system_without_the_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruction_set, "_CPU_INFO", tmp_path / "absent")
    assert read_cpu_info() == {} and not has_avx2()


MODULES = ("benchmark.execution.worker", "benchmark.execution.forkserver_preload", "slurm.job")


@pytest.mark.parametrize("module", MODULES)
def test_a_computing_process_is_pinned_before_torch_computes(module: str) -> None:
    code = f"import json, {module}\nfrom benchmark.store.machine import describe_machine\n"
    code += "from benchmark.utils.instruction_set import has_avx2\nmachine = describe_machine()\n"
    code += "print(json.dumps([has_avx2(), machine.cpu_capability, machine.mkl_branch]))"
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    is_pinned, *in_force = json.loads(output.stdout)
    assert in_force in (["AVX2", "COMPATIBLE"], ["AVX2", ""]) or not is_pinned
