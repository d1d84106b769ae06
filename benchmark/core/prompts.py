"""How class names are put into words for a text encoder: prompt templates, and wordings that differ from the name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import ROOT

FOLDER = ROOT / "splits"
"""`prompts/NAME.txt`: one template a line. `names/NAME.yaml`: class name to wording."""


class Prompts(FrozenModel):
    """Templates around a class name, and how names are worded.

    In text, `templates` may be the name of a file under `splits/prompts` and `wording` one under `splits/names`.

    Attributes:
        templates: each with exactly one {}; a class is the mean of the unit vectors of all of them, renormalised.
        wording: class name to what is written in its place; names that are not listed stand for themselves.
        synonyms: what a comma in a wording means: nothing ("joined"), or that the vectors of the parts are averaged
            ("averaged", as ZegFormer does with ADE20K's names).
    """

    templates: tuple[str, ...] = Field(default=("a photo of a {}",), min_length=1)
    wording: dict[str, str] = Field(default_factory=dict)
    synonyms: Literal["joined", "averaged"] = "joined"

    @model_validator(mode="before")
    @classmethod
    def _files_are_read(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        found = dict(given)
        if isinstance(found.get("templates"), str):
            found["templates"] = read_templates(found["templates"])
        if isinstance(found.get("wording"), str):
            found["wording"] = read_wording(found["wording"])
        return found

    @model_validator(mode="after")
    def _templates_hold_a_name(self) -> Self:
        wrong = [template for template in self.templates if template.count("{}") != 1]
        if wrong:
            raise ValueError(f"template {wrong[0]!r} needs exactly one {{}} where the class name goes")
        return self

    def texts(self, name: str) -> tuple[str, ...]:
        """Everything that stands for a class: wordings by templates, T texts of which the class is the mean."""
        words = self.wording.get(name, name)
        parts = [part.strip() for part in words.split(",")] if self.synonyms == "averaged" else [words]
        return tuple(template.format(part) for part in parts if part for template in self.templates)


def read_templates(name: str) -> tuple[str, ...]:
    """The templates of a file under `splits/prompts`, or of the path of a .txt file: one a line, empty lines left out.

    Raises:
        KeyError: there is no such file; names the nearest.
    """
    return tuple(line for line in _file("prompts", name, ".txt").read_text(encoding="utf-8").splitlines() if line)


def read_wording(name: str) -> dict[str, str]:
    """The wordings of a file under `splits/names`, or of the path of a .yaml file.

    Raises:
        KeyError: there is no such file; names the nearest.
        ValueError: it is not a table of texts.
    """
    path = _file("names", name, ".yaml")
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in (*found, *found.values())):
        raise ValueError(f"{path} is not a table from class names to wordings, all of them texts")
    return found


def _file(folder: str, name: str, suffix: str) -> Path:
    path = Path(name) if name.endswith(suffix) else FOLDER / folder / f"{name}{suffix}"
    if not path.is_file():
        known = sorted(file.stem for file in (FOLDER / folder).glob(f"*{suffix}"))
        raise KeyError(unknown_name(f"file of {folder}", name, known))
    return path
