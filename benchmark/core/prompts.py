"""Prompts: templates around class names, and aliases that replace class names in texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.input_files import record_input
from benchmark.utils.paths import ROOT
from benchmark.utils.shown_values import show_value
from benchmark.utils.yaml_files import find_line, read_table

FOLDER = ROOT / "splits"
"""`prompts/NAME.txt`: one template per line. `names/NAME.yaml`: class name to alias."""


class Prompts(FrozenModel):
    """Texts for class names.

    In a file, `templates` may be the name of a file under `splits/prompts`, and `aliases` one under `splits/names`.

    Attributes:
        templates: Templates with exactly one {} each; the embedding of a class is the mean of the unit vectors of all
            of them, normalized again.
        aliases: Class name to the text that replaces it; other names stand for themselves.
        synonyms: Meaning of a comma in an alias: none ("joined"), or that the vectors of its parts are averaged
            ("averaged", as ZegFormer does with ADE20K's names).
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"wording": "aliases"}

    templates: tuple[str, ...] = Field(default=("a photo of a {}",), min_length=1)
    aliases: dict[str, str] = Field(default_factory=dict)
    synonyms: Literal["joined", "averaged"] = "joined"

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping):
            return fields
        values = dict(fields)
        if isinstance(values.get("templates"), str):
            values["templates"] = read_templates(values["templates"])
        if isinstance(values.get("aliases"), str):
            values["aliases"] = read_aliases(values["aliases"])
        return values

    @model_validator(mode="after")
    def _check_templates(self) -> Self:
        wrong = [template for template in self.templates if template.count("{}") != 1]
        if wrong:
            raise ValueError(f"template {wrong[0]!r} needs exactly one {{}}, the position of the class name")
        return self

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the T texts of a class, whose mean stands for it: the parts of its alias in each template."""
        alias = self.aliases.get(name, name)
        parts = [part.strip() for part in alias.split(",")] if self.synonyms == "averaged" else [alias]
        return tuple(template.format(part) for part in parts if part for template in self.templates)


def read_templates(name: str) -> tuple[str, ...]:
    """Read templates from a file under `splits/prompts`, or from the path of a .txt file: one per line.

    Raises:
        KeyError: There is no such file; the message names the nearest.
    """
    path = _find_file("prompts", name, ".txt")
    text = path.read_text(encoding="utf-8")
    record_input(path)
    return tuple(line for line in text.splitlines() if line)


def read_aliases(name: str) -> dict[str, str]:
    """Read aliases from a file under `splits/names`, or from the path of a .yaml file.

    Raises:
        KeyError: There is no such file; the message names the nearest.
        ValueError: The file is not a table of texts.
    """
    path = _find_file("names", name, ".yaml")
    table: dict[Any, Any] = read_table(path, kind="table of aliases")  # keys may be numbers
    record_input(path)
    wrong = next((key for key, text in table.items() if not isinstance(key, str) or not isinstance(text, str)), None)
    if wrong is not None:
        raise ValueError(
            f"{path} is not a valid table of aliases: line {find_line(path, [wrong])}: expected a class name and a "
            f"text, found {show_value(wrong)}: {show_value(table[wrong])}; put them in quotes"
        )
    return table


def _find_file(folder: str, name: str, suffix: str) -> Path:
    path = Path(name) if name.endswith(suffix) else FOLDER / folder / f"{name}{suffix}"
    if not path.is_file():
        known = sorted(file.stem for file in (FOLDER / folder).glob(f"*{suffix}"))
        raise KeyError(explain_unknown_name(f"file of {folder}", name, known))
    return path
