"""Numbers that cannot be built or trained are refused when a run is planned."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from benchmark.core.method import Config
from benchmark.planning.registry import list_methods, load_recipe
from benchmark.planning.resolve import resolve

FAR_BELOW = -1_000_000_000

MAY_BE_NEGATIVE = {
    "EarlyFusionConfig.block": "counted from the end if negative; compared with the depth of CLIP",
}
MAY_BE_ZERO = {
    "AggregatorConfig.layers": "no aggregation",
    "AnchorsConfig.layers": "no decoder before the masked attention",
    "BiasedTokensConfig.start": "index of a block",
    "CandidateConfig.bank": "no bank",
    "EarlyFusionConfig.block": "index of a block",
    "ExtraPositionsConfig.before": "index of a block",
    "ReplacementConfig.start": "index of a block",
    "ResidualAttentionConfig.blocks": "index of a block",
    "ResidualAttentionConfig.fallback": "index of a class",
    "SelfCalibrationConfig.after": "index of a block",
    "SelfCalibrationConfig.before": "index of a block",
    "SelfCalibrationConfig.levels": "index of a block",
    "SgdConfig.bank": "no bank",
    "ShuffleConfig.seed": "any seed",
    "SideAdapterConfig.fusion": "index of a block or of a layer",
}
"""Whole numbers that may be 0. Of other numbers, factors of logits may not."""


def list_configs(annotation: Any) -> Iterator[type[Config]]:
    """Yield the types of configs in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for argument in get_args(annotation):
        yield from list_configs(argument)


@cache
def find_configs() -> tuple[type[Config], ...]:
    """Return the types of the configs of all variants of all methods, and of all parts that they may have."""
    variants = [config for name in list_methods() for config in load_recipe(name).variants.values()]
    found = {type(part): None for config in variants for part in [config, *config.list_parts()]}
    queue = list(found)
    while queue:
        for field in queue.pop().model_fields.values():
            new = [kind for kind in list_configs(field.annotation) if kind not in found]
            found |= dict.fromkeys(new)
            queue += new
    return tuple(found)


def replace_numbers(annotation: Any, number: float) -> Iterator[Any]:
    """Yield values of a type with a number in one place: the number, or tuples with it and otherwise with 1."""
    if annotation in (int, float):
        yield number
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from () if member is NoneType else replace_numbers(member, number)
    elif hasattr(annotation, "__metadata__"):
        yield from replace_numbers(get_args(annotation)[0], number)
    elif get_origin(annotation) is tuple:
        items = [item for item in get_args(annotation) if item is not Ellipsis]
        for index, item in enumerate(items):
            for value in replace_numbers(item, number):
                yield tuple(value if place == index else make_one(other) for place, other in enumerate(items))


def make_one(annotation: Any) -> Any:
    """Return the number 1 in the form of an item of a tuple."""
    return next(iter(replace_numbers(annotation, 1)))


def list_accepted(number: float) -> set[str]:
    """Return the fields of all configs that accept a number, as "Config.field"."""
    return {
        f"{kind.__name__}.{name}"
        for kind in find_configs()
        for name, field in kind.model_fields.items()
        for value in replace_numbers(field.annotation, number)
        if is_accepted(field, value)
    }


def is_accepted(field: FieldInfo, value: Any) -> bool:
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def list_whole() -> set[str]:
    """Return the fields of all configs that are whole numbers, as "Config.field"."""
    return {
        f"{kind.__name__}.{name}"
        for kind in find_configs()
        for name, field in kind.model_fields.items()
        if is_whole(field.annotation)
    }


def is_whole(annotation: Any) -> bool:
    """Return whether a type is a whole number, or has one."""
    return annotation is int or any(is_whole(argument) for argument in get_args(annotation))


def test_the_walk_meets_the_numbers_of_the_methods() -> None:
    assert {"ZsSegConfig.scale", "PointSamplingConfig.points", "SideAdapterConfig.fusion"} <= list_accepted(1)
    assert len(list_accepted(1)) > 120


def test_every_number_has_a_lower_bound() -> None:
    assert list_accepted(FAR_BELOW) == set(MAY_BE_NEGATIVE)


def test_counts_and_widths_are_positive() -> None:
    assert list_accepted(0) & list_whole() == set(MAY_BE_ZERO)


def test_factors_of_logits_are_positive() -> None:
    words = ("scale", "temperature", "sigma")
    assert not [name for name in list_accepted(0) if name.split(".")[1].endswith(words)]


def explain(method: str, **overrides: Any) -> str:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    with pytest.raises((KeyError, ValueError)) as caught:
        resolve(method, split="toybox", seed=0, overrides=changes)
    return str(caught.value.args[0])


ZERO_MATCHING = {f"matching__{name}_weight": 0 for name in ("class", "mask", "dice")}


@pytest.mark.parametrize(
    ("method", "overrides", "message"),
    [
        ("zsseg", {"scale": 0}, "scale=0: expected a number above 0"),
        ("zsseg", {"matching__class_weight": -1}, "matching.class_weight=-1: expected a number of at least 0"),
        ("zsseg", ZERO_MATCHING, "class_weight, mask_weight and dice_weight are all 0"),
        (
            "zsseg",
            {"region_prompts__prefix": 21},
            "region_prompts.prefix is 21, expected at most 20: toy-ViT-8 reads 24",
        ),
        ("deop", {"learned_tokens": 200}, "learned_tokens is 200, expected at most 20: toy-ViT-8 reads 24 tokens"),
        ("deop", {"anchors__heads": 7}, "anchors.heads is 7, and embeddings have 64 dimensions"),
        ("clip_zss", {"plm__heads": 7}, "plm.heads is 7, expected a divisor of the embedding dimension, 64"),
        ("cat_seg", {"side": 0}, "side=0: expected a number of at least 1"),
        ("cat_seg", {"decoder__guidance": []}, "decoder widths, guidance and upsampled differ in number"),
        ("cat_seg", {"decoder__widths": [0]}, "decoder.widths.0=0: expected a number of at least 1"),
        (
            "otseg",
            {"templates": ["a photo"]},
            "template 'a photo' needs exactly one {}, the position of the class name",
        ),
        ("zegclip", {"loss__focal": 0, "loss__dice": 0}, "focal and dice are both 0, expected one above 0"),
        ("pacl_sup", {"loss__cross_entropy": 0}, "loss.cross_entropy, loss.focal and loss.dice are all 0"),
        ("chimera_seg", {"sgd": None, "loss": {"cross_entropy": 0, "focal": 0, "dice": 0}}, "are all 0"),
        ("split_matching", {"enhancement": [0]}, "enhancement.0=0: expected a number of at least 1"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(method: str, overrides: dict[str, Any], message: str) -> None:
    assert message in explain(method, **overrides)
