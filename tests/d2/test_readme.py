"""The Python of "Using Detectron2" works as it stands there, with a few images and iterations."""

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

from benchmark.engine.checkpoint import get_trainable_state
from tests.cli.shell import run_command

# of Detectron2's evaluator: numpy asks torch's tensors for a keyword that they do not have
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

README = Path(__file__).resolve().parents[2] / "benchmark" / "d2" / "README.md"
LENGTH, SHORT = "= 600, 30, 16", "= 2, 1, 2"
FEW = 3


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The names that all blocks together leave, run in one folder."""
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


def test_the_trainer_in_the_readme_trains_to_its_end(told: dict[str, Any]) -> None:
    assert told["trainer"].iter == told["cfg"].SOLVER.MAX_ITER == 2
    assert Path("output/mine/model_final.pth").is_file()


def test_the_evaluators_in_the_readme_agree(told: dict[str, Any]) -> None:
    theirs, ours = told["results"]["sem_seg"], told["results"]["counts"]
    assert theirs["mIoU"] == told["again"]["sem_seg"]["mIoU"] == ours["mIoU"]
    assert len(told["ours"].counts.image_ids) == FEW


def test_the_picture_in_the_readme_shows_more_than_the_image(told: dict[str, Any]) -> None:
    drawn = np.asarray(Image.open("prediction.png").convert("RGB").resize((96, 96)), dtype=int)
    image = told["read_image"](told["record"]["file_name"], format="RGB")
    bare = np.asarray(Image.fromarray(image).resize((96, 96)), dtype=int)
    assert np.abs(drawn - bare).mean() > 10


def test_the_weights_in_the_readme_come_back_as_a_method(told: dict[str, Any]) -> None:
    trained, loaded = (get_trainable_state(one.method) for one in (told["trainer"].model, told["model"]))
    assert loaded and all(torch.equal(trained[name], value) for name, value in loaded.items())


def test_the_configs_in_the_readme_can_be_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^chimera-bench (d2 config .*)$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(commands) == 2
    assert [run_command(capsys, *shlex.split(command)).code for command in commands] == [0, 0]


def test_every_file_that_the_readme_names_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#h][^)#]*)[^)]*\)", text)]
    assert links and all((README.parent / link).exists() for link in links)
    table = text.partition("## Where it is in the code")[2]
    files = re.findall(r"`([\w./]+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    assert files and all((README.parent / file).exists() for file in files)
