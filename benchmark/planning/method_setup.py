"""Settings of a method: recipe, variant, config, split, protocol and budget, resolved without reading data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe
from benchmark.core.official_weights import load_official_weights
from benchmark.core.overrides import apply_overrides, select_prefix, split_keys, validate_fields
from benchmark.core.protocol import Protocol, Schedule, load_protocol
from benchmark.core.run_spec import OfficialWeights
from benchmark.core.seeding import seed_globals
from benchmark.core.split import Split, load_split
from benchmark.planning.own_checks import locate_own_errors
from benchmark.planning.registry import load_recipe, simplify_name
from benchmark.planning.setting_names import check_setting_names
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import format_canonical_json
from benchmark.utils.method_names import split_method
from benchmark.utils.shown_values import show_value
from benchmark.wrappers.self_training import SelfTraining
from benchmark.wrappers.sliding_window import SlidingWindow

PRECISIONS = ("32-true", "bf16-mixed")
_BUDGET, _PROTOCOL = "budget.", "protocol."


@dataclass(frozen=True)
class MethodSetup:
    """A method with all its settings, before any data are read.

    Attributes:
        recipe: Recipe of the method.
        variant: Label of the variant.
        config: Configuration, including presets and overrides.
        split: Split with the prompts of the protocol.
        protocol: Complete protocol, including overrides.
        budget: Budget of the recipe, the protocol and the overrides.
        effective: Dotted keys of the overrides that change a value.
        weights: Published checkpoint that the method starts from; None for its own initial values.
    """

    recipe: Recipe[Any]
    variant: str
    config: Config
    split: Split
    protocol: Protocol
    budget: Budget
    effective: frozenset[str] = frozenset()
    weights: OfficialWeights | None = None

    def build(self, seed: int) -> Method:
        """Return the method, initialized from a seed or a published checkpoint, before its vocabulary is set.

        Raises:
            KeyError: A part of the config lacks a class of the split.
            ValueError: A part of the config does not fit the split, the method asks for names that it must not know, or
                the checkpoint does not fit the method.
        """
        check_parts(self.config, self.split)
        seed_globals(seed, "init")
        method = self.recipe.build(self.config, self.recipe.make_train_split(self.split))
        if self.weights is not None:
            file, sha256 = Path(self.weights.file), self.weights.sha256
            load_official_weights(method, file, recipe=self.recipe, sha256=sha256)
        return wrap_method(method, self.split, self.protocol)


def resolve_method(
    method: str, *, split: str, protocol: str = "", overrides: Mapping[str, Any] | None = None
) -> MethodSetup:
    """Resolve all settings of a method on a split, without its data.

    Arguments and errors are those of `benchmark.planning.resolve.resolve`.
    """
    return set_up_method(method, load_split(split), protocol=protocol, overrides=normalize_overrides(overrides))


def set_up_method(method: str, split: Split, *, protocol: str, overrides: Mapping[str, Any]) -> MethodSetup:
    """Resolve all settings of a method on a split that is loaded already.

    Args:
        method: Method as in `resolve`.
        split: Split with its own prompts.
        protocol: Name or path of the protocol; if empty, the split's own.
        overrides: Values by dotted key, see `normalize_overrides`.
    """
    name, label = split_method(method)
    recipe = load_recipe(simplify_name(name))
    variant = find_variant(recipe, label, name=name)
    original = _apply_presets(recipe, variant, dataset=split.dataset)
    base = load_protocol(protocol or split.protocol, dataset=split.dataset)
    rules = _override_protocol(base, overrides)
    budget = _make_budget(recipe, dataset=split.dataset, schedule=rules.schedule, overrides={})
    before = {"": original, _PROTOCOL: base, _BUDGET: budget}
    check_setting_names(overrides, before)
    changes = {key: value for key, value in overrides.items() if not key.startswith((_BUDGET, _PROTOCOL))}
    config = apply_overrides(original, split_keys(changes))
    budget = _make_budget(
        recipe, dataset=split.dataset, schedule=rules.schedule, overrides=select_prefix(_BUDGET, overrides)
    )
    if config != original:
        variant, before[""] = _find_equal_variant(recipe, config, dataset=split.dataset) or (variant, original)
    after = {"": config, _PROTOCOL: rules, _BUDGET: budget}
    effective = frozenset(key for key in overrides if _get_value(before, key) != _get_value(after, key))
    prompted = replace_prompts(split, rules)
    with locate_own_errors(name, variant):
        check_parts(config, prompted)
    return MethodSetup(recipe, variant, config, prompted, rules, budget, effective)


def load_protocol_of(split: Split, *, protocol: str = "", overrides: Mapping[str, Any] | None = None) -> Protocol:
    """Load a protocol for a split and apply overrides.

    Args:
        split: Split that the protocol is for.
        protocol: Name or path of the protocol; if empty, the split's own.
        overrides: Values by dotted key; only those that begin with "protocol." are used.

    Raises:
        KeyError: A protocol or key is unknown; the message names the nearest.
        ValueError: A value is invalid.
    """
    return _override_protocol(load_protocol(protocol or split.protocol, dataset=split.dataset), overrides or {})


def wrap_method(method: Method, split: Split, protocol: Protocol) -> Method:
    """Wrap a method in what its protocol requires: self-training, a sliding window, or nothing."""
    if protocol.setting != "inductive" and any(parameter.requires_grad for parameter in method.parameters()):
        method = SelfTraining(method, split)
    if protocol.test.window:
        method = SlidingWindow(method, side=protocol.test.window, stride=protocol.test.stride)
    return method


def check_parts(config: Config, split: Split) -> None:
    """Check that a config and all its parts fit a split, see `Config.check_split`."""
    config.check_split(split)
    for part in config.list_parts():
        check_parts(part, split)


def replace_prompts(split: Split, protocol: Protocol) -> Split:
    """Return a split with the prompts of a protocol, if it has any."""
    prompts = protocol.prompts
    return split if prompts is None else split.model_copy(update={"prompts": prompts})


def find_variant(recipe: Recipe[Any], label: str, *, name: str) -> str:
    """Return the label of a variant as the recipe spells it.

    Args:
        recipe: Recipe of the method.
        label: Label as given; if empty, the first variant is meant.
        name: Name of the method, for error messages.

    Raises:
        KeyError: There is no such variant; the message names the nearest.
    """
    if label in recipe.variants or not label:
        return label or next(iter(recipe.variants))
    matches = [known for known in recipe.variants if _simplify(known) == _simplify(label)]
    if not matches:
        raise KeyError(explain_unknown_name(f"variant of {name}", label, recipe.variants))
    return matches[0]


def normalize_overrides(overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return overrides as they will be read back from a spec.

    Raises:
        ValueError: A value is not a JSON value; the message names its key.
    """
    return {key: _normalize_value(key, value) for key, value in (overrides or {}).items()}


def _normalize_value(key: str, value: Any) -> Any:
    try:
        return json.loads(format_canonical_json(value))
    except ValueError as error:
        raise ValueError(f"{key}={show_value(value)}: expected a finite number") from error
    except TypeError as error:
        raise ValueError(f"{key}={value}: expected a number, a text, a list or a table; put it in quotes") from error


def _simplify(label: str) -> str:
    return label.casefold().translate(str.maketrans("", "", " -_\t"))


def _override_protocol(protocol: Protocol, overrides: Mapping[str, Any]) -> Protocol:
    return apply_overrides(protocol, split_keys(select_prefix(_PROTOCOL, overrides)), path=("protocol",))


def _apply_presets(recipe: Recipe[Any], variant: str, *, dataset: str) -> Config:
    """Return the variant's config with the dataset's presets."""
    presets = _select_presets(recipe, variant, dataset=dataset)
    config: Config = apply_overrides(recipe.variants[variant], split_keys(presets))
    return config


def _find_equal_variant(recipe: Recipe[Any], config: Config, *, dataset: str) -> tuple[str, Config] | None:
    """Return the first variant that is this config anyway, and its config; None if there is none."""
    preset = {key.partition(".")[0] for key in recipe.presets.get(dataset, {})}
    for variant, own in recipe.variants.items():
        # fields without presets first: applying the presets of every variant takes longer than all else of a grid
        fields = [name for name in type(own).model_fields if name not in preset]
        if type(own) is not type(config) or any(getattr(own, name) != getattr(config, name) for name in fields):
            continue
        if (original := _apply_presets(recipe, variant, dataset=dataset)) == config:
            return variant, original
    return None


def _get_value(parts: Mapping[str, BaseModel], key: str) -> tuple[Any, ...]:
    """Return the value at the dotted key of an override in a tuple; empty if there is none.

    Args:
        parts: Values by the prefix of their keys.
        key: Key of an override.
    """
    prefix = next((prefix for prefix in parts if prefix and key.startswith(prefix)), "")
    return _get_field(parts[prefix], key.removeprefix(prefix))


def _select_presets(recipe: Recipe[Any], variant: str, *, dataset: str) -> dict[str, Any]:
    """Return the dataset's presets for a variant: fields that differ from the first variant keep their value."""
    first: Config = next(iter(recipe.variants.values()))
    presets = recipe.presets.get(dataset, {})
    for key in presets:
        if not any(_get_field(config, key) for config in recipe.variants.values()):
            raise ValueError(f"preset {key!r} for {dataset} is a setting of no variant of {recipe.title!r}")
    config = recipe.variants[variant]
    return {key: value for key, value in presets.items() if _get_field(config, key) == _get_field(first, key) != ()}


def _get_field(config: BaseModel, key: str) -> tuple[Any, ...]:
    """Return the value at a dotted key in a tuple; empty if a part on the way is switched off or of another kind."""
    value: Any = config
    for name in key.split("."):
        if not isinstance(value, BaseModel) or name not in type(value).model_fields:
            return ()
        value = getattr(value, name)
    return (value,)


def _make_budget(
    recipe: Recipe[Any], *, dataset: str, schedule: Schedule | None, overrides: Mapping[str, Any]
) -> Budget:
    """Return the recipe's budget with the protocol's schedule, if anything is trained, then the overrides."""
    if dataset not in recipe.budgets and "*" not in recipe.budgets:
        known = ", ".join(recipe.budgets)
        raise ValueError(f"{recipe.title} has budgets for {known} and none for {dataset}: add one, or '*' for the rest")
    fields = recipe.budget_for(dataset).model_dump()
    if schedule is not None and fields["iterations"]:
        fields |= schedule.model_dump()
    budget = validate_fields(Budget, fields, path=("budget",))
    budget = apply_overrides(budget, split_keys(overrides), path=("budget",))
    if budget.precision not in PRECISIONS:
        raise ValueError(f"budget.precision={budget.precision!r}: expected one of {', '.join(PRECISIONS)}")
    return budget
