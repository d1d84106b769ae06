"""Explanations of disagreements between published numbers, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.yaml_files import describe_invalid, read_table

Kind = Literal["hiou", "average", "sources"]
"""What disagrees: hIoU with S and U, an average with its numbers, or sources with each other."""


class Explanation(FrozenModel):
    """Reason of one disagreement or of several.

    Attributes:
        kind: Kind of the disagreements.
        text: Reason.
        cases: Subject of each disagreement and the numbers that disagree, from the smallest to the largest. With other
            numbers, the disagreement is another one and is not explained.
    """

    kind: Kind
    text: str = Field(min_length=1)
    cases: dict[str, tuple[float, ...]] = Field(min_length=1)


def read_explanations(path: Path) -> tuple[Explanation, ...]:
    """Return the explanations of a YAML file, which has a table of them by name.

    Raises:
        ValueError: The file holds something else; one line that names file, line and field.
        OSError: The file cannot be read.
    """
    explanations = []
    for name, fields in read_table(path, kind="table of explanations").items():
        try:
            explanations.append(Explanation.model_validate(fields))
        except ValidationError as error:
            problem = describe_invalid(error, Explanation, path, within=[name])
            raise ValueError(f"{path} is not a valid table of explanations: {name}: {problem}") from error
    return tuple(explanations)
