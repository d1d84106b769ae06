"""Identity leaves out what does not make a value another one, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field, create_model

from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.identity import identify


class Part(FrozenModel):
    size: int = 1
    rate: float = 0.5


class Other(FrozenModel):
    kind: Literal["other"] = "other"
    size: int = 1


class Weights(FrozenModel):
    file_fields: ClassVar[Mapping[str, str]] = {"path": "sha256"}
    descriptive_fields: ClassVar[frozenset[str]] = frozenset({"note"})
    path: str = "toy"
    sha256: str = ""
    note: str = ""


class Whole(FrozenModel):
    name: str
    part: Part | Other | None = Part(size=2)
    parts: tuple[Part, ...] = ()
    words: dict[str, int] = Field(default_factory=dict)


def test_only_fields_that_differ_from_their_defaults_identify_a_value() -> None:
    assert identify(Whole(name="a")) == {"name": "a"}
    assert identify(Whole(name="a", words={"b": 2})) == {"name": "a", "words": {"b": 2}}


def test_a_part_is_reduced_to_what_differs_from_the_defaults_of_its_own_class() -> None:
    assert identify(Whole(name="a", part=Part(size=2, rate=0.1)))["part"] == {"size": 2, "rate": 0.1}
    assert identify(Whole(name="a", part=Part()))["part"] == {}
    assert identify(Whole(name="a", part=None))["part"] is None


def test_a_new_field_at_its_default_leaves_the_digest_alone() -> None:
    def define(**fields: Any) -> FrozenModel:
        inner = create_model("Inner", __base__=FrozenModel, size=(int, 1), **fields)
        outer = create_model("Outer", __base__=FrozenModel, inner=(inner, inner()))
        return outer.model_validate({"inner": {"size": 5}})

    old, new = define(), define(extra=(int, 3))
    assert "extra" in new.canonical() and "extra" not in old.canonical()
    assert old.digest() == new.digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "b"},
        {"part": None},
        {"part": Part()},
        {"part": Part(size=2, rate=0.6)},
        {"part": Other()},
        {"part": Other(size=2)},
        {"parts": (Part(),)},
        {"parts": (Part(), Part())},
        {"words": {"": 0}},
    ],
)
def test_every_other_value_changes_the_digest(changes: dict[str, Any]) -> None:
    digests = {Whole(**{"name": "a"} | other).digest() for other in ({}, changes)}
    assert len(digests) == 2


def test_a_digest_stands_for_the_path_of_its_file() -> None:
    assert Weights(path="a/w.pt", sha256="1").digest() == Weights(path="/b/v.pt", sha256="1", note="x").digest()
    assert Weights(path="a/w.pt", sha256="1").digest() != Weights(path="a/w.pt", sha256="2").digest()
    assert Weights(path="openai").digest() != Weights(path="laion").digest()
