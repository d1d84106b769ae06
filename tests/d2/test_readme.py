"""Tests of the examples in "Using Detectron2": all Python blocks run, with a few images and iterations."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("detectron2", reason="Detectron2 is not installed")
pytest.importorskip("cv2", reason="OpenCV, which Detectron2's Visualizer needs, is not installed")

import benchmark.d2.register  # noqa: F401  # first, as it loads Detectron2 without its warnings

# isort: split
from detectron2.data import DatasetCatalog

from benchmark.core.trainable_state import get_trainable_state
from tests.cli.shell import run_command

# Detectron2 makes arrays from tensors in a way that numpy deprecated
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

README = Path(__file__).resolve().parents[2] / "benchmark" / "d2" / "README.md"
LENGTH, SHORT = "= 600, 30, 16", "= 2, 1, 2"
FEW = 3


@pytest.fixture(scope="module")
def readme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run all blocks in one folder and provide the names that they define."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    whole = type(DatasetCatalog).get
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        patch.setattr(type(DatasetCatalog), "get", lambda catalog, name: whole(catalog, name)[:FEW])
        exec("".join(blocks).replace(LENGTH, SHORT), names)
        yield names


def test_the_training_in_the_readme_can_be_shortened() -> None:
    assert README.read_text(encoding="utf-8").count(LENGTH) == 1


def test_the_trainer_in_the_readme_finishes(readme: dict[str, Any]) -> None:
    assert readme["trainer"].iter == readme["cfg"].SOLVER.MAX_ITER == 2
    assert Path("output/mine/model_final.pth").is_file()


def test_the_evaluators_in_the_readme_agree(readme: dict[str, Any]) -> None:
    theirs, ours = readme["results"]["sem_seg"], readme["results"]["counts"]
    assert theirs["mIoU"] == readme["recomputed"]["sem_seg"]["mIoU"] == ours["mIoU"]
    assert len(readme["ours"].counts.image_ids) == FEW


def test_the_visualization_in_the_readme_differs_from_the_image(readme: dict[str, Any]) -> None:
    visualization = np.asarray(Image.open("prediction.png").convert("RGB").resize((96, 96)), dtype=int)
    image = readme["read_image"](readme["record"]["file_name"], format="RGB")
    original = np.asarray(Image.fromarray(image).resize((96, 96)), dtype=int)
    assert np.abs(visualization - original).mean() > 10


def test_the_weights_in_the_readme_are_loaded_into_a_method(readme: dict[str, Any]) -> None:
    trained, loaded = (get_trainable_state(model.method) for model in (readme["trainer"].model, readme["model"]))
    assert loaded and all(torch.equal(trained[name], value) for name, value in loaded.items())


def test_the_configs_in_the_readme_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^chimera-bench (d2 config .*)$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(commands) == 2
    assert [run_command(capsys, *shlex.split(command)).code for command in commands] == [0, 0]


def test_all_files_in_the_readme_exist() -> None:
    text = README.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#h][^)#]*)[^)]*\)", text)]
    assert links and all((README.parent / link).exists() for link in links)
    table = text.partition("## Where it is in the code")[2]
    files = re.findall(r"`([\w./]+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    assert files and all((README.parent / file).exists() for file in files)
