"""Checks of Detectron2: one line for each way in which it is missing or does not work."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from benchmark.utils.optional_packages import INSTALLATION, MODULES, require_detectron2

ROOT = Path(__file__).resolve().parents[2]


def explain(folder: Path, code: str) -> str:
    """Return the line about a Detectron2 that has this code in one of its modules; empty if it loads."""
    package = folder / "detectron2"
    package.mkdir()
    for name in ("__init__", *MODULES):
        (package / f"{name}.py").write_text("")
    (package / "engine.py").write_text(code)
    return explain_in_process(folder)


def explain_in_process(folder: Path) -> str:
    """Return the line of a new process, because imports leave traces, in which every warning is an error."""
    code = "from benchmark.utils.optional_packages import require_detectron2; require_detectron2()"
    command = [sys.executable, "-W", "error", "-c", code]
    path = os.pathsep.join(map(str, (folder, ROOT)))
    result = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    return (result.stderr.splitlines() or [""])[-1].removeprefix("ValueError: ")


def test_a_missing_detectron2_is_reported_with_its_installation_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    with pytest.raises(ValueError, match=f"^Detectron2 is not installed; .*{INSTALLATION}.* engine fabric"):
        require_detectron2()


def test_a_working_detectron2_is_not_mentioned(tmp_path: Path) -> None:
    assert explain(tmp_path, "import warnings\nwarnings.warn('deprecated', FutureWarning)") == ""


def test_the_folder_around_a_checkout_is_not_taken_for_the_package(tmp_path: Path) -> None:
    (tmp_path / "detectron2" / "detectron2").mkdir(parents=True)
    assert explain_in_process(tmp_path).startswith(
        f"{tmp_path / 'detectron2'} is taken for Detectron2, but is no package"
    )


def test_a_missing_dependency_is_named(tmp_path: Path) -> None:
    line = explain(tmp_path, "import no_such_package.at_all")
    assert line.startswith(f"Detectron2 at {tmp_path / 'detectron2'} needs missing packages: pip install no_such_")


def test_a_dependency_that_is_too_new_is_named_with_its_version(tmp_path: Path) -> None:
    line = explain(tmp_path, "from PIL import Image\nImage.LINEAR")
    assert f"does not work with pillow {version('pillow')} (AttributeError: module 'PIL.Image' has no" in line


def test_a_dependency_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    line = explain(tmp_path, "from PIL.Image import ofTomorrow")
    assert f"does not work with pillow {version('pillow')} (ImportError: cannot import name 'ofTomorrow'" in line


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("from detectron2 import _C", "ImportError: cannot import name '_C'"),
        ("import detectron2.nothing", "ModuleNotFoundError: No module named 'detectron2.nothing'"),
        ("assert False, 'Requires fvcore>=0.1.2'", "AssertionError: Requires fvcore>=0.1.2"),
        ("raise ImportError('libGL.so.1: not found')", "ImportError: libGL.so.1: not found"),
    ],
)
def test_any_other_problem_is_reported_in_its_own_words(tmp_path: Path, code: str, message: str) -> None:
    line = explain(tmp_path, code)
    assert f"cannot be loaded ({message}" in line
    assert "take its newest commit" in line
