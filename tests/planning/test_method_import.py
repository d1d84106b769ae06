"""A method file that ends the process, reads its arguments or changes the folder harms only itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmark.planning.registry import load_recipe
from tests.planning.files import write_method


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("raise SystemExit(3)", "SystemExit in mine.py:7 (import): it ended the process with exit code 3: a method is"),
        ("raise type('E', (BaseException,), {})('x')", "E in mine.py:7 (import): x"),
        ("from . import helper", "ImportError in mine.py:7 (import): cannot import name 'helper' from "),
        ("from .helper import f", "ModuleNotFoundError in mine.py:7 (import): No module named 'helper'"),
        (
            "Supervision.SEEN",
            "AttributeError in mine.py:7 (import): no Supervision.SEEN; did you mean Supervision.SEEN_",
        ),
    ],
)
def test_what_stops_the_import_is_located(statement: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        load_recipe(str(write_method(tmp_path, top=statement)))
    assert message in str(caught.value)
    assert "_external_method_" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("width = 8", "field 'width' of a Config has no type: write width: int = ..."),
        ("scale: __import__('torch').Tensor = None", "a field of a Config has the type torch.Tensor, which a record"),
    ],
)
def test_a_wrong_field_is_explained_without_the_words_of_the_library(field: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        load_recipe(str(write_method(tmp_path, config=field)))
    assert message in str(caught.value)


def test_an_interrupt_that_the_file_raises_is_its_error_and_that_of_a_key_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"KeyboardInterrupt in mine\.py:7 \(import\)"):
        load_recipe(str(write_method(tmp_path, top="raise KeyboardInterrupt")))
    with pytest.raises(KeyboardInterrupt):
        load_recipe(str(write_method(tmp_path, top="import signal; signal.raise_signal(signal.SIGINT)")))


def test_a_file_reads_an_empty_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["chimera-bench", "test", "./mine.py"])
    load_recipe(str(write_method(tmp_path, top="import argparse; argparse.ArgumentParser().parse_args()")))
    assert sys.argv == ["chimera-bench", "test", "./mine.py"]


def test_the_working_folder_is_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_method(tmp_path, top="import os; os.chdir('/')")
    load_recipe("mine.py")
    assert Path.cwd() == tmp_path
