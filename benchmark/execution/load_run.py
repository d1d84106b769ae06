"""A run with its split, data and method loaded and checked against the spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmark.core.method import Config, Method, Recipe
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.data.run_loaders import make_train_loader
from benchmark.planning.resolve import load_split_of, restore_setup


@dataclass(frozen=True)
class LoadedRun:
    """A run that is ready for an engine.

    Attributes:
        spec: Spec of the run.
        config: Configuration of the method.
        split: Split of the run.
        train_loader: Loader of the training batches.
        eval_loader: Loader of the scored images.
        method: Method, initialized from the seed; its vocabulary is not yet set.
    """

    spec: RunSpec
    config: Config
    split: Split
    train_loader: TrainLoader
    eval_loader: EvalLoader
    method: Method


def load_run(spec: RunSpec, recipe: Recipe[Any], *, workers: int = 0) -> LoadedRun:
    """Load split, dataset and method of a run.

    Args:
        spec: Spec of the run.
        recipe: Recipe of the spec, as `load_recipe_of` returns it.
        workers: Data-loading workers.

    Raises:
        ValueError: Split or dataset changed since the spec was made, or the config does not fit the recipe.
    """
    split = load_split_of(spec)
    dataset = open_dataset(split.dataset)
    if dataset.fingerprint(split.train, split.evaluate) != spec.dataset_fingerprint:
        raise ValueError(f"dataset {split.dataset!r} changed since this run was planned: plan it again")
    supervision = recipe.traits.supervision
    train_loader = make_train_loader(spec, dataset, split, supervision=supervision, workers=workers)
    eval_loader = EvalLoader(
        dataset,
        split,
        protocol=spec.protocol,
        max_images=spec.max_images,
        workers=workers,
        supervision=supervision,
    )
    setup = restore_setup(spec, recipe=recipe, split=split)
    method = setup.build(spec.seed)
    return LoadedRun(spec, setup.config, split, train_loader, eval_loader, method)
