"""Checks of a CLIP before anything is built: architecture, weights and what other parts need to know of it.

Architectures are read from the files of open_clip, whose import takes seconds; it is imported only to look for weights
that are given by their tag.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from benchmark.utils.did_you_mean import explain_unknown_name
from methods.blocks.clip.assets import ASSETS, RANDOM, TOY, TOY_MODEL
from methods.blocks.clip.user_folder import find_user_file
from methods.blocks.weight_files import compare_shapes, find_problem_of_file, read_shapes


@dataclass(frozen=True)
class Architecture:
    """Sizes of a CLIP.

    Attributes:
        embed_dim: Length of an embedding that images and texts share.
        depth: Number of blocks of the image encoder; 0 if it is no plain ViT.
        width: Length of a token of the image encoder; 0 if it is no plain ViT.
        patch_size: Side of a patch in pixels; 0 if it is no plain ViT.
    """

    embed_dim: int
    depth: int
    width: int
    patch_size: int


def check_clip(model: str, weights: str) -> None:
    """Check that an architecture exists and that its weights are there or can be downloaded.

    Args:
        model: Name of the architecture.
        weights: Tag, file, "toy" or "random".

    Raises:
        KeyError: open_clip has no such architecture; the message names the nearest.
        ValueError: The weights are missing or belong to another architecture.
    """
    architecture = read_architecture(model)
    if weights == RANDOM:
        return
    if weights == TOY:
        if model != TOY_MODEL:
            raise ValueError(f"clip.weights=toy belong to {TOY_MODEL}, and clip.model is {model}: set both")
        return
    file = Path(weights).expanduser()
    if file.exists():
        _check_file(file, architecture, model=model)
    elif find_user_file(model, weights) is None:
        _check_tag(model, weights)


@lru_cache(maxsize=64)
def read_architecture(model: str) -> Architecture:
    """Return the sizes of a CLIP by the name of its architecture.

    Raises:
        KeyError: open_clip has no such architecture; the message names the nearest.
    """
    files = {path.stem: path for folder in _list_folders() for path in folder.glob("*.json")}
    if model not in files:
        raise KeyError(explain_unknown_name("open_clip model", model, sorted(files)))
    fields = json.loads(files[model].read_text(encoding="utf-8"))
    image = fields.get("vision_cfg", {})
    sizes = [image.get(name, 0) for name in ("layers", "width", "patch_size")]
    return Architecture(fields["embed_dim"], *(size if isinstance(size, int) else 0 for size in sizes))


def _list_folders() -> list[Path]:
    spec = find_spec("open_clip")
    locations = spec.submodule_search_locations if spec is not None else None
    return [*(Path(location) / "model_configs" for location in locations or ()), ASSETS]


def _check_file(file: Path, architecture: Architecture, *, model: str) -> None:
    problem = find_problem_of_file(file)
    if problem:
        raise ValueError(f"clip.weights: {file}: {problem}")
    found = read_shapes(file)
    patch, width = architecture.patch_size, architecture.width
    shapes = {"visual.conv1.weight": (width, 3, patch, patch), "visual.proj": (width, architecture.embed_dim)}
    expected = {name: shape for name, shape in shapes.items() if name in found}
    problem = compare_shapes({name: found[name] for name in expected}, expected) if width else ""
    if problem:
        raise ValueError(f"clip.weights: {file} and model {model!r} {problem}")


@lru_cache(maxsize=64)
def _check_tag(model: str, tag: str) -> None:
    from methods.blocks.clip.compatibility import check_tag  # not above: open_clip takes seconds to import

    check_tag(model, tag)
