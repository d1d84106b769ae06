"""The page of the towers: each cell of its table of methods is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from benchmark.contract.check import make_subjects
from benchmark.contract.subject import Subject
from benchmark.planning.registry import list_methods
from methods import blocks
from methods.blocks.clip.user_folder import VARIABLE
from tests.methods.blocks.clip.tiny_towers import ARCHITECTURES, RESNET

PAGE = (Path(blocks.__file__).parent / "CLIP_TOWERS.md").read_text(encoding="utf-8")
TOWERS = ("tiny-siglip", "tiny-eva02", "tiny-pe", "tiny-registers", RESNET)
TABLE = {
    row[0].strip("`"): row[2:]
    for row in re.findall(r"^\| (`\w+`) \| (yes) " + len(TOWERS) * r"\| (.*?) " + r"\|$", PAGE, re.M)
}
CELLS = [(method, tower, cell) for method, row in TABLE.items() for tower, cell in zip(TOWERS, row, strict=True)]


def _make(method: str, tower: str, settings: list[str]) -> Subject:
    """Return a method with a tower and further settings, as `--set` takes them, after the checks of its plan."""
    overrides: dict[str, Any] = {"clip.model": tower, "clip.weights": "random"}
    overrides |= {key: yaml.safe_load(value) for key, value in (setting.split("=", 1) for setting in settings)}
    subject = next(make_subjects(method, overrides=overrides))
    subject.setup.config.check_plan(subject.setup.budget)
    return subject


def test_every_method_has_a_row() -> None:
    assert list(TABLE) == sorted(list_methods())


@pytest.mark.parametrize(("method", "tower", "cell"), CELLS)
def test_a_method_works_with_a_tower_as_the_page_says(
    method: str, tower: str, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(ARCHITECTURES))
    if cell != "yes":
        with pytest.raises(ValueError, match=r"class token|registers|tokenizer|whole images alone"):
            _make(method, tower, [])
    if cell == "no":
        return
    subject = _make(method, tower, re.findall(r"`(.*?)`", cell))
    with torch.no_grad():
        scores = [some["sem_seg"] for some in subject.in_evaluation().predict(subject.make_prediction_batch())]
    assert all(some.isfinite().all() and some.std() > 0 for some in scores)
    losses = subject.in_training().losses(subject.make_training_batch())
    assert all(loss.isfinite() for loss in losses.values())
