"""Sizes of the architectures of open_clip, read from its files without importing it, and what is not supported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.utils.did_you_mean import explain_unknown_name
from methods.blocks.clip.assets import ASSETS
from methods.blocks.clip.support import find_unsupported
from methods.blocks.clip.timm_sizes import TimmSizes
from methods.blocks.clip.timm_table import look_up_sizes
from methods.blocks.clip.user_folder import get_user_folder


@dataclass(frozen=True)
class Architecture:
    """Sizes of a CLIP.

    Attributes:
        embed_dim: Length of an embedding that images and texts share.
        depth: Number of blocks of the image encoder; 0 if it is no ViT.
        width: Length of a token of the image encoder; 0 if it is no ViT.
        patch_size: Side of a patch in pixels; 0 if it is no ViT.
        num_prefix: Number of tokens before the patches: 1 for a class token, more with registers, 0 for SigLIP.
        has_class_embedding: Whether the embedding of an image is that of its class token alone.
        is_timm: Whether open_clip builds the image encoder through timm.
        tokenizer: Repository of the model's own tokenizer on the Hub; empty for CLIP's.
        unsupported: What is not supported, each in a few words.
    """

    embed_dim: int
    depth: int
    width: int
    patch_size: int
    num_prefix: int = 1
    has_class_embedding: bool = True
    is_timm: bool = False
    tokenizer: str = ""
    unsupported: tuple[str, ...] = ()


def read_architecture(model: str) -> Architecture:
    """Return the sizes of a CLIP by the name of its architecture.

    Raises:
        KeyError: open_clip has no such architecture; the message names the nearest.
    """
    return _parse_architecture(find_architecture_file(model))


def find_architecture_file(model: str) -> Path:
    """Return the file of an architecture: open_clip's, ours, or the user's MODEL.json in $CHIMERA_BENCH_WEIGHTS.

    Raises:
        KeyError: There is none; the message names the nearest.
    """
    files = {path.stem: path for folder in _list_folders() for path in folder.glob("*.json")}
    if model not in files:
        raise KeyError(explain_unknown_name("open_clip model", model, sorted(files)))
    return files[model]


@lru_cache(maxsize=64)
def _parse_architecture(file: Path) -> Architecture:
    fields = json.loads(file.read_text(encoding="utf-8"))
    image, text = fields.get("vision_cfg", {}), fields.get("text_cfg", {})
    tokenizer, unsupported = text.get("hf_tokenizer_name", ""), tuple(find_unsupported(fields))
    if "timm_model_name" not in image:
        depth, width, patch_size = (_read_number(image, name) for name in ("layers", "width", "patch_size"))
        return Architecture(fields["embed_dim"], depth, width, patch_size, tokenizer=tokenizer, unsupported=unsupported)
    found = look_up_sizes(image["timm_model_name"]) or TimmSizes(0, 0, 0, num_prefix=0, pool="")
    return Architecture(
        fields["embed_dim"],
        found.depth,
        found.width,
        found.patch_size,
        num_prefix=found.num_prefix,
        has_class_embedding=(image.get("timm_pool", "avg") or found.pool) == "token",
        is_timm=True,
        tokenizer=tokenizer,
        unsupported=unsupported,
    )


def _read_number(image: Mapping[str, Any], name: str) -> int:
    """Return a size of an image encoder; 0 if it is missing or, as the stages of a ResNet, more than one number."""
    size = image.get(name, 0)
    return size if isinstance(size, int) else 0


def _list_folders() -> list[Path]:
    spec = find_spec("open_clip")
    locations = spec.submodule_search_locations if spec is not None else None
    own = get_user_folder()
    return [*(Path(location) / "model_configs" for location in locations or ()), ASSETS, *([own] if own else [])]


def check_support(architecture: Architecture, *, model: str) -> None:
    """Check that image and text encoder of an architecture can be run.

    Args:
        architecture: What is known of it.
        model: Its name.

    Raises:
        ValueError: Something is not supported; the message lists everything.
    """
    if architecture.unsupported:
        problems = ", ".join(architecture.unsupported)
        raise ValueError(f"open_clip model {model!r} is not supported: {problems}; choose another one, as ViT-B-16")
