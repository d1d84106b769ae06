"""From what a user names to a fully resolved `RunSpec`, and from that to a method."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe
from benchmark.core.overrides import below, by_path, changed, validated
from benchmark.core.protocol import Protocol, Schedule, load_protocol
from benchmark.core.run_spec import RunSpec
from benchmark.core.seeding import seed_globals
from benchmark.core.split import Split, load_split
from benchmark.data.catalog import open_dataset
from benchmark.data.folders.discovery import data_folders
from benchmark.data.loader import check_fits
from benchmark.planning.registry import load_recipe, source_digest
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import canonical_json
from benchmark.wrappers.self_training import SelfTraining
from benchmark.wrappers.sliding_window import SlidingWindow

ENGINES = ("fabric", "detectron2")
PRECISIONS = ("32-true", "bf16-mixed")
_BUDGET, _PROTOCOL = "budget.", "protocol."


@dataclass(frozen=True)
class Setting:
    """A method with all that is set of it, before any data are looked at.

    Attributes:
        recipe, variant, config: of the method.
        split: worded as the protocol wants it.
        protocol: the rules, whole.
        budget: of the recipe, the protocol and the overrides.
    """

    recipe: Recipe[Any]
    variant: str
    config: Config
    split: Split
    protocol: Protocol
    budget: Budget

    def build(self, seed: int) -> Method:
        """The method, freshly initialised from a seed, its vocabulary not yet set."""
        seed_globals(seed, "init")
        return under_protocol(self.recipe.build(self.config, self.split), self.split, self.protocol)


def settle(method: str, *, split: str, protocol: str = "", overrides: Mapping[str, Any] | None = None) -> Setting:
    """What a method on a split comes to. Arguments as of `resolve`, which raises the same for them."""
    name, label = split_name(method)
    recipe = load_recipe(name)
    variant = find_variant(recipe, label, name=name)
    the_split = load_split(split)
    dataset, given = the_split.dataset, _as_json(overrides or {})
    config = _config(recipe, variant, dataset=dataset, overrides=given)
    rules = rules_for(the_split, protocol=protocol, overrides=given)
    budget = _budget(recipe, dataset=dataset, schedule=rules.schedule, overrides=below(_BUDGET, given))
    return Setting(recipe, variant, config, _worded(the_split, rules), rules, budget)


def rules_for(split: Split, *, protocol: str = "", overrides: Mapping[str, Any] | None = None) -> Protocol:
    """A protocol, the split's own where none is named, with what overrides below "protocol." change of it.

    Raises:
        KeyError: an unknown protocol or key; names the nearest.
        ValueError: an impossible value.
    """
    rules = load_protocol(protocol or split.protocol, dataset=split.dataset)
    return changed(rules, by_path(below(_PROTOCOL, overrides or {})), path=("protocol",))


def resolve(
    method: str,
    *,
    split: str,
    seed: int,
    protocol: str = "",
    overrides: Mapping[str, Any] | None = None,
    engine: str = "fabric",
    max_images: int = 0,
) -> RunSpec:
    """Resolve one run.

    Args:
        method: "name", "name/variant", "path/file.py" or "path/file.py/variant"; without a variant, the first. Case,
            spaces, hyphens and underscores do not matter in a variant.
        split: name, or path of a YAML file.
        seed: of every random draw.
        protocol: name, or path of a YAML file; the split's own where empty.
        overrides: dotted key to value: fields of the config, "budget." and a field of the budget, or "protocol." and a
            field of the protocol. A value may replace a whole part. Whatever YAML made of it, it is turned into the
            field's type.
        engine: which trainer.
        max_images: score only the first images; 0 for all.

    Raises:
        KeyError: an unknown method, variant, split, protocol, engine or key; names the nearest.
        ValueError: an impossible value, or data that are missing, broken or not those of the split.
    """
    setting = settle(method, split=split, protocol=protocol, overrides=overrides)
    name, _ = split_name(method)
    given = _as_json(overrides or {})
    if engine not in ENGINES:
        raise KeyError(unknown_name("engine", engine, ENGINES))
    is_external = name.endswith(".py")
    split_digest = load_split(split).digest()
    config = _text(setting.config, name=name)
    parts = {"budget": dict(setting.budget), "protocol": setting.protocol.model_dump(mode="json")}
    fields = {
        "method": Path(name).stem if is_external else name,
        "source": name if is_external else "",
        "source_digest": source_digest(name),
        "variant": setting.variant,
        "overrides": _settled(given, config | parts),
        "config": config,
        "split": split,
        "split_digest": split_digest,
        "protocol": setting.protocol,
        "dataset_fingerprint": fingerprint_of(split, digest=split_digest, folders=data_folders()),
        "engine": engine,
        "seed": seed,
        "budget": setting.budget,
        "max_images": max_images,
    }
    return validated(RunSpec, fields, path=())


def build(spec: RunSpec) -> Method:
    """Build the method of a spec, initialized from the spec's seed, with its vocabulary not yet set.

    Raises:
        ValueError: The method's file, the split or the fields of the config changed since the spec was made.
    """
    return restore_setting(spec, recipe=recipe_of(spec), split=split_of(spec)).build(spec.seed)


def restore_setting(spec: RunSpec, *, recipe: Recipe[Any], split: Split) -> Setting:
    """Return the setting that a spec was made from.

    Args:
        spec: Spec of a run.
        recipe: Recipe of the spec, as `recipe_of` returns it.
        split: Split of the spec, as `split_of` returns it.

    Raises:
        ValueError: The recipe has no such variant, or the config of the variant has other fields.
    """
    if spec.variant not in recipe.variants:
        raise ValueError(f"{unknown_name('variant', spec.variant, recipe.variants)}: resolve this run again")
    config = validated(type(recipe.variants[spec.variant]), spec.config, path=())
    return Setting(recipe, spec.variant, config, split, spec.protocol, spec.budget)


def under_protocol(method: Method, split: Split, protocol: Protocol) -> Method:
    """The method within what its protocol puts around every method: self-training, a sliding window, or nothing."""
    if protocol.setting != "inductive" and any(parameter.requires_grad for parameter in method.parameters()):
        method = SelfTraining(method, split)
    if protocol.test.window:
        method = SlidingWindow(method, side=protocol.test.window, stride=protocol.test.stride)
    return method


@lru_cache(maxsize=32)
def fingerprint_of(name: str, *, digest: str, folders: tuple[Path, ...]) -> str:
    """The hash of the data that a split uses. The cells of a grid share them: they are looked at once a process.

    Args:
        name: of the split, or its path.
        digest: of the split, so that another content is another question.
        folders: in which data sets are looked for, likewise.

    Raises:
        FileNotFoundError: the data set is in none of them.
        KeyError: there is no such data set or part.
        ValueError: the data are broken, or do not fit the split.
    """
    split = load_split(name)
    dataset = open_dataset(split.dataset)
    check_fits(dataset, split)
    return dataset.fingerprint(split.train, split.evaluate)


def recipe_of(spec: RunSpec) -> Recipe[Any]:
    """The recipe of a spec. Raises ValueError where the method's file is another than when the spec was made."""
    name = spec.source or spec.method
    if source_digest(name) != spec.source_digest:
        raise ValueError(f"method file {name} changed since this run was planned: plan it again")
    return load_recipe(name)


def split_of(spec: RunSpec) -> Split:
    """The split of a spec, worded as its protocol wants it.

    Raises:
        ValueError: it is another than when the spec was made.
    """
    split = load_split(spec.split)
    if split.digest() != spec.split_digest:
        raise ValueError(f"split {spec.split!r} changed since this run was planned: plan it again")
    return _worded(split, spec.protocol)


def _worded(split: Split, protocol: Protocol) -> Split:
    prompts = protocol.prompts
    return split if prompts is None else split.model_copy(update={"prompts": prompts})


def split_name(method: str) -> tuple[str, str]:
    """Method and variant of "method/variant"; the variant is empty where none is given, and may hold slashes itself."""
    if method.endswith(".py"):
        return method, ""
    head, suffix, label = method.partition(".py/")
    if suffix:
        return f"{head}.py", label
    name, _, label = method.partition("/")
    return name, label


def find_variant(recipe: Recipe[Any], label: str, *, name: str) -> str:
    """The label as the recipe writes it; the first one for an empty label. Raises KeyError naming the nearest."""
    if label in recipe.variants or not label:
        return label or next(iter(recipe.variants))
    fits = [known for known in recipe.variants if _plain(known) == _plain(label)]
    if not fits:
        raise KeyError(unknown_name(f"variant of {name}", label, recipe.variants))
    return fits[0]


def _plain(label: str) -> str:
    return label.casefold().translate(str.maketrans("", "", " -_\t"))


def _config(recipe: Recipe[Any], variant: str, *, dataset: str, overrides: Mapping[str, Any]) -> Config:
    """The variant's config with the data set's presets, then the overrides."""
    config: Config = recipe.variants[variant]
    presets = _presets(recipe, variant, dataset=dataset)
    changes = {key: value for key, value in overrides.items() if not key.startswith((_BUDGET, _PROTOCOL))}
    return changed(changed(config, by_path(presets)), by_path(changes))


def _presets(recipe: Recipe[Any], variant: str, *, dataset: str) -> dict[str, Any]:
    """The data set's presets that concern a variant: what it changes itself, against the first variant, stays."""
    first: Config = next(iter(recipe.variants.values()))
    presets = recipe.presets.get(dataset, {})
    for key in presets:
        if not any(_at(config, key) for config in recipe.variants.values()):
            raise ValueError(f"preset {key!r} for {dataset} is a setting of no variant of {recipe.title!r}")
    config = recipe.variants[variant]
    return {key: value for key, value in presets.items() if _at(config, key) == _at(first, key) != ()}


def _at(config: Config, key: str) -> tuple[Any, ...]:
    """The value at a dotted key in a tuple; an empty one where a part on the way is switched off or of another kind."""
    value: Any = config
    for name in key.split("."):
        if not isinstance(value, BaseModel) or name not in type(value).model_fields:
            return ()
        value = getattr(value, name)
    return (value,)


def _budget(recipe: Recipe[Any], *, dataset: str, schedule: Schedule | None, overrides: Mapping[str, Any]) -> Budget:
    """The recipe's budget, under the protocol's schedule where anything is trained, then the overrides."""
    fields = recipe.budget_for(dataset).model_dump()
    if schedule is not None and fields["iterations"]:
        fields |= schedule.model_dump()
    budget = validated(Budget, fields, path=("budget",))
    budget = changed(budget, by_path(overrides), path=("budget",))
    if budget.precision not in PRECISIONS:
        raise ValueError(f"budget.precision={budget.precision!r}: expected one of {', '.join(PRECISIONS)}")
    return budget


def _text(config: Config, *, name: str) -> dict[str, Any]:
    """The config as JSON; reading it back must give the same config, or the run would not be the one described."""
    text = config.model_dump(mode="json")
    if validated(type(config), text, path=()) != config:
        raise ValueError(
            f"the config of {name} is another after being written and read as JSON: give parts that may stand in "
            "for each other a field kind: Literal[...], and use no infinities"
        )
    return text


def _settled(overrides: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Single values as their fields took them, so that 1e-4 as text and 0.0001 are one run; whole parts as given."""
    settled: dict[str, Any] = {}
    for key, given in overrides.items():
        value: Any = fields
        for name in key.split("."):
            value = value[name]
        settled[key] = given if isinstance(value, Mapping) else value
    return settled


def _as_json(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides as they will be read again from a spec."""
    try:
        value: dict[str, Any] = json.loads(canonical_json(dict(overrides)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"overrides must be JSON values (numbers, texts, lists, tables): {error}") from error
    return value
