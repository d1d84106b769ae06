"""Checks of `doctor`: each is one line, and only what prevents runs is an error."""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from benchmark.cli import doctor_checks
from benchmark.utils import instruction_set
from benchmark.utils.instruction_set import PINS, SYNONYMS
from tests.cli.shell import run_command


def test_every_subject_is_checked(tmp_path: Path) -> None:
    names = [check.name for check in doctor_checks.examine(tmp_path)]
    assert {"python", "packages", "torch", "threads", "weights", "workers", "records", "cache", "git", "slurm"} <= set(
        names
    )


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({}, "; torch was loaded before benchmark, which then sets nothing: import benchmark first to get ATEN"),
        (PINS | {"MKL_CBWR": "AUTO"}, "; unset MKL_CBWR (it is AUTO) to get ATEN"),
        (
            {name: PINS[name] for name in ("ATEN_CPU_CAPABILITY", "MKL_CBWR")} | {"DNNL_MAX_CPU_ISA": "SSE41"},
            "; unset DNNL_MAX_CPU_ISA (it is SSE41) to get ATEN",
        ),
        (PINS, "AMD Test, pinned: ATEN_CPU_CAPABILITY=avx2"),
    ],
)
def test_arithmetic_names_the_processor_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], advice: str
) -> None:
    for name in (*PINS, *SYNONYMS.values()):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(instruction_set, "has_avx2", lambda: True)
    monkeypatch.setattr(doctor_checks, "has_avx2", lambda: True)
    monkeypatch.setattr(doctor_checks, "read_cpu_info", lambda: {"model name": "AMD Test"})
    (check,) = doctor_checks._check_arithmetic()
    assert check.text.startswith("AMD Test") and advice in check.text


def test_a_missing_package_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "_read_requirements", lambda: ["pydantic>=2", "no-such-package>=1"])
    assert [(check.level, "no-such-package>=1" in check.text) for check in doctor_checks._check_packages()] == [
        ("ok", False),
        ("error", True),
    ]


def test_an_old_package_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "_read_requirements", lambda: ["pydantic>=999"])
    assert doctor_checks._check_packages()[-1].level == "warning"


def test_little_free_space_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "MIN_FREE_GIB", 1e9)
    assert doctor_checks._check_space("records", tmp_path / "not" / "there").level == "warning"


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert doctor_checks._check_space("records", tmp_path / "file" / "runs").level == "error"


def test_a_check_that_cannot_be_made_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> list[doctor_checks.Check]:
        raise OSError("no answer")

    monkeypatch.setattr(doctor_checks, "_check_git", fails)
    assert [check.level for check in doctor_checks.examine(tmp_path) if check.name == "git"] == ["warning"]


def test_an_error_gives_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_checks, "examine", lambda _: [doctor_checks.Check("torch", "error", "gone")])
    code, out, _ = run_command(capsys, "--runs", str(tmp_path), "doctor", "--json")
    assert code == 1
    assert json.loads(out) == [{"name": "torch", "level": "error", "text": "gone"}]


def test_a_detectron2_that_does_not_work_is_a_warning_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ValueError("needs omegaconf")

    fake = ModuleType("detectron2")
    fake.__spec__ = ModuleSpec("detectron2", loader=None)
    monkeypatch.setitem(sys.modules, "detectron2", fake)
    monkeypatch.setattr("benchmark.utils.optional_packages.require_detectron2", refuse)
    assert doctor_checks._check_detectron2() == [doctor_checks.Check("detectron2", "warning", "needs omegaconf")]


def test_a_missing_detectron2_is_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    assert [check.level for check in doctor_checks._check_detectron2()] == ["ok"]


@pytest.mark.parametrize(
    ("code", "level", "text"),
    [
        (None, "ok", "no compiled extension"),
        ("raise ImportError('undefined symbol')", "warning", "does not load (undefined symbol)"),
        ("", "ok", "loads"),
    ],
)
def test_a_compiled_extension_that_does_not_load_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str | None, level: str, text: str
) -> None:
    if code is not None:
        (tmp_path / "_C.py").write_text(code)
    fake = ModuleType("detectron2")
    fake.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "detectron2", fake)
    monkeypatch.setitem(sys.modules, "detectron2._C", fake)
    monkeypatch.delitem(sys.modules, "detectron2._C")
    check = doctor_checks._check_extension()
    assert check.level == level
    assert text in check.text


def test_a_folder_of_records_that_cannot_be_written_to_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> list[str]:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(doctor_checks, "list_missing_abilities", fail)
    (check,) = doctor_checks._check_records(tmp_path / "runs")
    assert (check.level, check.text) == ("error", f"{tmp_path / 'runs'} cannot be written to (Read-only file system)")


def test_what_the_file_system_of_records_lacks_and_limits_of_workers_are_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_checks, "list_missing_abilities", lambda _: ["no hard links"])
    monkeypatch.setattr(doctor_checks, "list_worker_limits", lambda: iter(["64 open files"]))
    _, links = doctor_checks._check_records(tmp_path)
    (files,) = doctor_checks._check_workers()
    assert links == doctor_checks.Check("records", "warning", f"the file system of {tmp_path}: no hard links")
    assert files == doctor_checks.Check("workers", "warning", "64 open files")


def test_a_folder_in_which_nothing_can_be_created_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    check = doctor_checks._check_space("cache", Path("/proc/not/there"))
    assert check.level == "error" and check.text.startswith("/proc/not/there cannot be written to (")
