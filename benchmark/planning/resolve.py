"""Resolution of names that users type into complete specs, and of specs into methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark.core.method import Config, Method, Recipe
from benchmark.core.overrides import validate_fields
from benchmark.core.protocol import TrainImages
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import SPLITS, Split, find_split_file, load_split
from benchmark.data.catalog import open_dataset
from benchmark.data.folders.discovery import list_data_folders
from benchmark.data.split_checks import check_fits, require_captions, require_points
from benchmark.data.train_images import select_train_images
from benchmark.planning.method_setup import (
    MethodSetup,
    normalize_overrides,
    replace_prompts,
    set_up_method,
)
from benchmark.planning.official_weights import add_weights, find_weights
from benchmark.planning.own_checks import locate_own_errors
from benchmark.planning.plan_checks import check_run
from benchmark.planning.registry import compute_source_digest, is_path, load_recipe, simplify_name
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.identity import identify
from benchmark.utils.method_names import INIT, name_method_file, split_method
from benchmark.utils.paths import make_absolute

ENGINES = ("fabric", "detectron2")


def resolve(
    method: str,
    *,
    split: str,
    seed: int,
    protocol: str = "",
    overrides: Mapping[str, Any] | None = None,
    engine: str = "fabric",
    max_images: int = 0,
    weights: str = "",
) -> RunSpec:
    """Resolve one run.

    Args:
        method: "name", "name/variant", "path/file.py" or "path/file.py/variant"; without a variant, the first one.
            Case, spaces, hyphens and underscores of a variant do not matter.
        split: Name, or path of a YAML file.
        seed: Seed of all random draws.
        protocol: Name, or path of a YAML file; if empty, the split's own.
        overrides: Values by dotted key: fields of the config, "budget." and a field of the budget, or "protocol." and
            a field of the protocol. A value may replace a whole part. It is converted to the type of the field.
        engine: Name of the trainer.
        max_images: Number of images to score; 0 for all.
        weights: Path of a published checkpoint that the method starts from; empty for its own initial values.

    Raises:
        KeyError: A method, variant, split, protocol, engine or key is unknown; the message names the nearest.
        ValueError: A value is invalid, the data are missing, broken or not those of the split, the weights are no
            checkpoint of the method, or the run would fail, see `benchmark.planning.plan_checks`.
    """
    setup, original, fields = _describe_run(
        method, split, protocol, overrides=overrides, engine=engine, weights=weights
    )
    data = SplitData(fields["split_digest"], list_data_folders(), original)
    fields |= {"dataset_fingerprint": compute_fingerprint(data), "seed": seed, "max_images": max_images}
    _check_training_data(setup, original)
    with locate_own_errors(split_method(method)[0], setup.variant):
        check_run(setup, max_images=max_images)  # after the data, without which weights are of no use
    return validate_fields(RunSpec, fields, path=())


def outline(
    method: str,
    *,
    split: str,
    seed: int,
    protocol: str = "",
    overrides: Mapping[str, Any] | None = None,
    engine: str = "fabric",
    max_images: int = 0,
    weights: str = "",
) -> RunSpec:
    """Resolve one run without its data and weight files, to estimate it before they are there; it cannot be run.

    Arguments and errors are those of `resolve`, without the errors about files. The fingerprint of the data is empty,
    and a published checkpoint, which changes no time, is left out.
    """
    _, _, fields = _describe_run(method, split, protocol, overrides=overrides, engine=engine, weights="")
    fields |= {"dataset_fingerprint": "", "seed": seed, "max_images": max_images}
    return validate_fields(RunSpec, fields, path=())


def _check_training_data(setup: MethodSetup, split: Split) -> None:
    """Check that the dataset of a split has what the training needs.

    Raises:
        ValueError: It has too few images, or they have no captions or points.
    """
    check_train_images(setup.protocol.train_images, split)
    supervision = setup.recipe.traits.supervision
    if supervision.includes_captions:
        require_captions(open_dataset(split.dataset))
    if supervision.includes_points:
        require_points(open_dataset(split.dataset))


def build(spec: RunSpec) -> Method:
    """Build the method of a spec, initialized from the spec's seed, before its vocabulary is set.

    Raises:
        ValueError: The method's file, the split or the fields of the config changed since the spec was made.
    """
    return restore_setup(spec, recipe=load_recipe_of(spec), split=load_split_of(spec)).build(spec.seed)


def restore_setup(spec: RunSpec, *, recipe: Recipe[Any], split: Split) -> MethodSetup:
    """Return the settings that a spec describes.

    Args:
        spec: Spec of the run.
        recipe: Recipe of the spec, see `load_recipe_of`.
        split: Split of the spec, see `load_split_of`.

    Raises:
        ValueError: The recipe does not have the variant or the fields of the config, its defaults changed, or the
            published checkpoint changed or is not found.
    """
    if spec.variant not in recipe.variants:
        raise ValueError(f"{explain_unknown_name('variant', spec.variant, recipe.variants)}: resolve this run again")
    config = validate_fields(type(recipe.variants[spec.variant]), spec.config, path=())
    if identify(config) != spec.config_identity:
        raise ValueError(f"defaults of {spec.method!r} changed since this run was planned: plan it again")
    weights = find_weights(spec.weights)
    return MethodSetup(recipe, spec.variant, config, split, spec.protocol, spec.budget, weights=weights)


@dataclass(frozen=True)
class SplitData:
    """A split and the folders of its data; equal if digest and folders are.

    Attributes:
        digest: Digest of the split.
        folders: Folders that are searched for datasets.
        split: The split itself.
    """

    digest: str
    folders: tuple[Path, ...]
    split: Split = field(compare=False)


@lru_cache(maxsize=32)
def compute_fingerprint(data: SplitData) -> str:
    """Return the hash of the data that a split uses, computed once per process: the cells of a grid share it.

    Raises:
        FileNotFoundError: The dataset is in none of the folders.
        KeyError: There is no such dataset or subset.
        ValueError: The data are broken, or do not fit the split.
    """
    split = data.split
    dataset = open_dataset(split.dataset)
    check_fits(dataset, split)
    return dataset.fingerprint(split.train, split.evaluate)


def check_train_images(images: TrainImages, split: Split) -> None:
    """Check that a split has as many training images as a protocol asks for; other rules need the masks.

    Raises:
        ValueError: It has fewer.
    """
    if isinstance(images, int):
        select_train_images(open_dataset(split.dataset), split, images)


def load_recipe_of(spec: RunSpec) -> Recipe[Any]:
    """Load the recipe of a spec.

    An external file is looked for where it was when the run was planned, then in the current folder.

    Raises:
        ValueError: The method's file changed since the spec was made, or is not found.
    """
    return load_recipe(find_method_of(spec))


def find_method_of(spec: RunSpec) -> str:
    """Return the name of a spec's method, or the path of its external file; see `load_recipe_of`.

    Raises:
        ValueError: The method's file changed since the spec was made, or is not found.
    """
    if spec.is_imported:
        raise ValueError(f"{spec.id} has no method that could be run: its predictions were imported")
    if not spec.source:
        if compute_source_digest(spec.method) == spec.source_digest:
            return spec.method
        raise ValueError(f"method {spec.method} changed since this run was planned: plan it again")
    here = Path(spec.method, INIT) if Path(spec.source).name == INIT else Path(f"{spec.method}.py")
    paths = dict.fromkeys([spec.source, str(here.absolute())])
    existing = [path for path in paths if Path(path).is_file()]
    for path in existing:
        if compute_source_digest(path) == spec.source_digest:
            return path
    if existing:
        raise ValueError(f"method file {existing[0]} changed since this run was planned: plan it again")
    raise ValueError(f"no method file {spec.source}: go to the folder that holds {here} now")


def load_split_of(spec: RunSpec) -> Split:
    """Load the split of a spec, with the prompts of its protocol.

    A split file outside of the package is looked for where it was when the run was planned, then in the current folder.

    Raises:
        ValueError: The split changed since the spec was made, or is not found.
    """
    split = load_split(_find_split_of(spec))
    if split.digest() != spec.split_digest:
        raise ValueError(f"split {spec.split!r} changed since this run was planned: plan it again")
    return replace_prompts(split, spec.protocol)


def _find_split_of(spec: RunSpec) -> str:
    """Return the name of a spec's split, or the path of its file; of a drawn one, that of its base."""
    file = find_split_file(spec.split_source)
    if file is None or file.is_file():
        return spec.split_source or spec.split
    near = Path(spec.split_source).name
    here = Path(file.name)
    if not here.is_file():
        raise ValueError(f"no split file {file}: go to the folder that holds {here} now")
    return near


def find_split_source(split: str) -> str:
    """Return a split that is given by its path, or drawn from one, with an absolute path; empty for an included one."""
    file = find_split_file(split)
    is_included = file is None or file.resolve().parent == SPLITS
    return "" if is_included else str(make_absolute(split))


def _describe_run(
    method: str, split: str, protocol: str, *, overrides: Mapping[str, Any] | None, engine: str, weights: str
) -> tuple[MethodSetup, Split, dict[str, Any]]:
    """Return the settings of a run, its split, and the fields of its spec that take no files of data."""
    values, original = normalize_overrides(overrides), load_split(split)
    setup = add_weights(set_up_method(method, original, protocol=protocol, overrides=values), weights)
    if engine not in ENGINES:
        raise KeyError(explain_unknown_name("engine", engine, ENGINES))
    fields: dict[str, Any] = {
        "split": original.name,
        "split_source": find_split_source(split),
        "split_digest": original.digest(),
        "unseen": original.unseen,
        "protocol": setup.protocol,
        "engine": engine,
        "budget": setup.budget,
        "weights": setup.weights,
    }
    fields = _make_method_fields(method, setup, overrides=values) | fields
    if weights:
        fields["overrides"] = {**fields["overrides"], "weights": weights}
    return setup, original, fields


def _make_method_fields(method: str, setup: MethodSetup, *, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec that describe its method."""
    name = simplify_name(split_method(method)[0])
    is_external = is_path(name)
    config = _dump_config(setup.config, name=name)
    parts = {"budget": dict(setup.budget), "protocol": setup.protocol.model_dump(mode="json")}
    effective = {key: value for key, value in overrides.items() if key in setup.effective}
    return {
        "method": name_method_file(name) if is_external else name,
        "source": str(make_absolute(name)) if is_external else "",
        "source_digest": compute_source_digest(name),
        "variant": setup.variant,
        "overrides": _convert_overrides(effective, config | parts),
        "config": config,
        "config_identity": identify(setup.config),
    }


def _dump_config(config: Config, *, name: str) -> dict[str, Any]:
    """Return a config as JSON; reading it back must give the same config, or the spec would describe another run."""
    text = config.model_dump(mode="json")
    if validate_fields(type(config), text, path=()) != config:
        raise ValueError(
            f"the config of {name} changes when it is written and read as JSON: give parts that can replace each "
            "other a field kind: Literal[...], and use no infinities"
        )
    return text


def _convert_overrides(overrides: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return single values as their fields converted them, so that 1 and 1.0 are one run; parts as given."""
    converted: dict[str, Any] = {}
    for key, original in overrides.items():
        value: Any = fields
        for name in key.split("."):
            value = value[name]
        converted[key] = original if isinstance(value, Mapping) else value
    return converted
