"""Whether Detectron2 is here and works: one line for each way in which it is not, or does not."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from benchmark.utils.optional_packages import INSTALLATION, PARTS, require_detectron2

ROOT = Path(__file__).resolve().parents[2]


def told(folder: Path, code: str) -> str:
    """The line about a Detectron2 that has this code in one of its parts; empty where it loads."""
    package = folder / "detectron2"
    package.mkdir()
    for part in ("__init__", *PARTS):
        (package / f"{part}.py").write_text("")
    (package / "engine.py").write_text(code)
    return asked(folder)


def asked(folder: Path) -> str:
    """In a process of its own, as an import leaves its traces, and where every warning is an error."""
    words = [sys.executable, "-W", "error", "-c", "from benchmark.utils import optional_packages as require; require.require_detectron2()"]
    path = os.pathsep.join(map(str, (folder, ROOT)))
    done = subprocess.run(words, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    return (done.stderr.splitlines() or [""])[-1].removeprefix("ValueError: ")


def test_what_is_not_installed_is_told_with_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    with pytest.raises(ValueError, match=f"^Detectron2 is not installed; .*{INSTALLATION}.* engine fabric"):
        require_detectron2()


def test_what_loads_is_not_spoken_of(tmp_path: Path) -> None:
    assert told(tmp_path, "import warnings\nwarnings.warn('deprecated', FutureWarning)") == ""


def test_the_folder_around_a_checkout_is_not_taken_for_the_package(tmp_path: Path) -> None:
    (tmp_path / "detectron2" / "detectron2").mkdir(parents=True)
    assert asked(tmp_path).startswith(f"{tmp_path / 'detectron2'} is taken for Detectron2, but is no package")


def test_a_package_that_it_needs_is_named(tmp_path: Path) -> None:
    line = told(tmp_path, "import no_such_package.at_all")
    assert line.startswith(f"Detectron2 at {tmp_path / 'detectron2'} needs what is not installed: pip install no_such_")


def test_what_is_too_new_for_it_is_named_with_its_version(tmp_path: Path) -> None:
    line = told(tmp_path, "from PIL import Image\nImage.LINEAR")
    assert f"does not work with pillow {version('pillow')} (AttributeError: module 'PIL.Image' has no" in line


def test_what_is_too_old_for_it_is_named_with_its_version(tmp_path: Path) -> None:
    line = told(tmp_path, "from PIL.Image import ofTomorrow")
    assert f"does not work with pillow {version('pillow')} (ImportError: cannot import name 'ofTomorrow'" in line


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("from detectron2 import _C", "ImportError: cannot import name '_C'"),
        ("import detectron2.nothing", "ModuleNotFoundError: No module named 'detectron2.nothing'"),
        ("assert False, 'Requires fvcore>=0.1.2'", "AssertionError: Requires fvcore>=0.1.2"),
        ("raise ImportError('libGL.so.1: not found')", "ImportError: libGL.so.1: not found"),
    ],
)
def test_whatever_else_goes_wrong_is_told_in_its_own_words(tmp_path: Path, code: str, said: str) -> None:
    line = told(tmp_path, code)
    assert f"cannot be loaded ({said}" in line
    assert "take its newest commit" in line
