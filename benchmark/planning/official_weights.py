"""Published checkpoints of runs: checked when a run is planned, and found again when it is run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmark.core.official_weights import describe_change
from benchmark.core.run_spec import OfficialWeights
from benchmark.core.weight_files import find_problem_of_file, read_shapes
from benchmark.planning.method_setup import MethodSetup
from benchmark.utils.input_files import hash_file
from benchmark.utils.paths import make_absolute

OPTION = "--weights"


def add_weights(setup: MethodSetup, path: str) -> MethodSetup:
    """Return the settings of a method that starts from a published checkpoint.

    The checkpoint takes the place of `Method.initialize`, so the budget has no images for it.

    Args:
        setup: Settings of the method without a checkpoint.
        path: Path of the checkpoint as given by the user; if empty, the settings are returned as they are.

    Raises:
        ValueError: The method reads no published checkpoints, the file is none, or images to initialize are asked for.
    """
    if not path:
        return setup
    if setup.recipe.convert_official is None:
        raise ValueError(
            f"{OPTION} {path}: {setup.recipe.title} reads no published checkpoints, as its recipe has no "
            "convert_official: leave the weights out"
        )
    if "budget.init_images" in setup.effective and setup.budget.init_images:
        raise ValueError(
            f"budget.init_images={setup.budget.init_images}: the method starts from {path}, which initializing would "
            "overwrite: leave one of them out"
        )
    budget = setup.budget.model_copy(update={"init_images": 0})
    return replace(setup, budget=budget, weights=_describe(path))


def find_weights(weights: OfficialWeights | None) -> OfficialWeights | None:
    """Return the published checkpoint of a spec with the path that it has on this machine.

    The file is looked for where it was when the run was planned, then in the current folder.

    Raises:
        ValueError: The file changed since the run was planned, or is not found.
    """
    if weights is None:
        return None
    paths = [Path(weights.file), Path(weights.name).absolute()]
    existing = [path for path in paths if path.is_file()]
    for path in existing:
        if hash_file(path) == weights.sha256:
            return weights.model_copy(update={"file": str(path)})
    if existing:
        raise ValueError(describe_change(existing[0], weights.sha256))
    raise ValueError(f"no weights {weights.file}: go to the folder that holds {weights.name} now")


def _describe(path: str) -> OfficialWeights:
    """Return a checkpoint by its path, digest and number of tensors."""
    file = make_absolute(path)
    if problem := find_problem_of_file(file):
        raise ValueError(f"{OPTION} {path}: {problem}")
    return OfficialWeights(file=str(file), sha256=hash_file(file), num_tensors=len(read_shapes(file)))
