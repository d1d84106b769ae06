"""From what a user names to a fully resolved `RunSpec`, and from that to a method."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from benchmark.data.catalog import open_dataset
from benchmark.data.layout import data_folders
from benchmark.data.loader import check_fits
from benchmark.frozen import Frozen, canonical_json
from benchmark.method import Config, Method, Recipe
from benchmark.protocol import Protocol, Schedule, load_protocol
from benchmark.registry import load_recipe, source_digest
from benchmark.run import BudgetSpec, RunSpec
from benchmark.seeding import seed_globals
from benchmark.selftraining import SelfTraining
from benchmark.sliding import SlidingWindow
from benchmark.split import Split, load_split
from benchmark.suggest import unknown_name

ENGINES = ("fabric", "detectron2")
PRECISIONS = ("32-true", "bf16-mixed")
_BUDGET, _PROTOCOL = "budget.", "protocol."

Changes = Mapping[tuple[str, ...], Any]
ModelT = TypeVar("ModelT", bound=BaseModel)
FrozenT = TypeVar("FrozenT", bound=Frozen)


def resolve(
    method: str,
    *,
    split: str,
    seed: int,
    protocol: str = "",
    overrides: Mapping[str, Any] | None = None,
    engine: str = "fabric",
    limit: int = 0,
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
        limit: score only the first images; 0 for all.

    Raises:
        KeyError: an unknown method, variant, split, protocol, engine or key; names the nearest.
        ValueError: an impossible value, or data that are missing, broken or not those of the split.
    """
    name, label = split_name(method)
    recipe = load_recipe(name)
    variant = find_variant(recipe, label, name=name)
    the_split = load_split(split)
    given = _as_json(overrides or {})
    if engine not in ENGINES:
        raise KeyError(unknown_name("engine", engine, ENGINES))
    is_external = name.endswith(".py")
    config = _text(_config(recipe, variant, dataset=the_split.dataset, overrides=given), name=name)
    rules = load_protocol(protocol or the_split.protocol, dataset=the_split.dataset)
    rules = changed(rules, _by_path(_starting(_PROTOCOL, given)), path=("protocol",))
    budget = _budget(recipe, dataset=the_split.dataset, schedule=rules.schedule, overrides=_starting(_BUDGET, given))
    parts = {"budget": dict(budget), "protocol": rules.model_dump(mode="json")}
    fields = {
        "method": Path(name).stem if is_external else name,
        "source": name if is_external else "",
        "source_digest": source_digest(name),
        "variant": variant,
        "overrides": _settled(given, config | parts),
        "config": config,
        "split": split,
        "split_digest": the_split.digest(),
        "protocol": rules,
        "dataset_fingerprint": fingerprint_of(split, digest=the_split.digest(), folders=data_folders()),
        "engine": engine,
        "seed": seed,
        "budget": budget,
        "limit": limit,
    }
    return _validated(RunSpec, fields, path=())


def build(spec: RunSpec) -> Method:
    """The method of a spec, freshly initialised from the spec's seed, its vocabulary not yet set.

    Raises:
        ValueError: the method's file, the split or the config's fields are not those the spec was made from.
    """
    recipe = recipe_of(spec)
    split = split_of(spec)
    if spec.variant not in recipe.variants:
        raise ValueError(f"{unknown_name('variant', spec.variant, recipe.variants)}: resolve this run again")
    config = _validated(type(recipe.variants[spec.variant]), spec.config, path=())
    seed_globals(spec.seed, "init")
    return under_protocol(recipe.build(config, split), split, spec.protocol)


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
    prompts = spec.protocol.prompts
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
    return changed(changed(config, _by_path(presets)), _by_path(changes))


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


def changed(config: FrozenT, changes: Changes, *, path: tuple[str, ...] = ()) -> FrozenT:
    """A config with other values, validated.

    Args:
        config: stays as it is.
        changes: value by the names on the way to its field.
        path: of the config itself within a larger one, for messages.

    Raises:
        KeyError: no such field; names the nearest.
        ValueError: an impossible value; names the field and what is possible.
    """
    fields = {name: getattr(config, name) for name in type(config).model_fields}
    for name in dict.fromkeys(key[0] for key in changes):
        if name not in fields:
            raise KeyError(unknown_name("setting", _dotted(path, name), [_dotted(path, field) for field in fields]))
        inner = {key[1:]: value for key, value in changes.items() if key[0] == name}
        fields[name] = _changed_field(fields[name], inner, path=(*path, name))
    return _validated(type(config), fields, path=path) if changes else config


def _changed_field(value: Any, changes: Changes, *, path: tuple[str, ...]) -> Any:
    if () in changes and len(changes) == 1:
        return changes[()]
    name = _dotted(path)
    inner = _dotted(path, *next(key for key in changes if key))
    if () in changes:
        raise ValueError(f"both {name} and {inner} are given: put all into {name}={{...}}")
    if value is None:
        raise ValueError(f"{inner}: {name} is switched off here; give it as a whole, {name}={{...}}")
    if not isinstance(value, Frozen):
        raise ValueError(f"{inner}: {name} is one value, {value!r}; it has no settings of its own")
    return changed(value, changes, path=path)


def _budget(
    recipe: Recipe[Any], *, dataset: str, schedule: Schedule | None, overrides: Mapping[str, Any]
) -> BudgetSpec:
    """The recipe's budget, under the protocol's schedule where anything is trained, then the overrides."""
    fields = recipe.budget_for(dataset).model_dump()
    if schedule is not None and fields["iterations"]:
        fields |= schedule.model_dump()
    budget = _validated(BudgetSpec, fields, path=("budget",))
    budget = changed(budget, _by_path(overrides), path=("budget",))
    if budget.precision not in PRECISIONS:
        raise ValueError(f"budget.precision={budget.precision!r}: expected one of {', '.join(PRECISIONS)}")
    return budget


def _starting(prefix: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides below a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in overrides.items() if key.startswith(prefix)}


def _text(config: Config, *, name: str) -> dict[str, Any]:
    """The config as JSON; reading it back must give the same config, or the run would not be the one described."""
    text = config.model_dump(mode="json")
    if _validated(type(config), text, path=()) != config:
        raise ValueError(
            f"the config of {name} is another after being written and read as JSON: give parts that may stand in "
            "for each other a field kind: Literal[...], and use no infinities"
        )
    return text


def _validated(kind: type[ModelT], fields: Mapping[str, Any], *, path: tuple[str, ...]) -> ModelT:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        lines = [_line(dict(one), path) for one in error.errors(include_url=False, include_context=False)]
        raise ValueError("; ".join(lines)) from error


def _line(error: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """What was given where, and what is possible there."""
    name = _dotted(path, *map(str, error["loc"]))
    message = str(error["msg"]).removeprefix("Value error, ")
    given = "" if isinstance(error["input"], (Mapping, BaseModel)) else f"={error['input']!r}"
    return f"{name}{given}: {message}" if name else message


def _dotted(path: Sequence[str], *names: str) -> str:
    return ".".join((*path, *names))


def _by_path(changes: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    return {tuple(key.split(".")): value for key, value in changes.items()}


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
