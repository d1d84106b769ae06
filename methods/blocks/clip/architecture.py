"""Sizes of the architectures of open_clip, read from its files without importing it, and what is not supported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.utils.did_you_mean import explain_unknown_name
from methods.blocks.clip.assets import ASSETS
from methods.blocks.clip.support import find_unsupported, is_resnet
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
        tensor_shapes: Shapes of some tensors of the image encoder, by their names in weight files.
        tokenizer: Repository of the model's own tokenizer on the Hub; empty for CLIP's.
        context_length: Number of tokens of a text, with start and end.
        unsupported: What is not supported, each in a few words.
    """

    embed_dim: int
    depth: int = 0
    width: int = 0
    patch_size: int = 0
    num_prefix: int = 0
    has_class_embedding: bool = False
    is_timm: bool = False
    tensor_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    tokenizer: str = ""
    context_length: int = 77
    unsupported: tuple[str, ...] = ()

    @property
    def has_patches(self) -> bool:
        """Whether the image encoder embeds patches, as a ViT; CLIP's ResNets are run on whole images alone."""
        return self.depth > 0


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
    folders = _list_folders()
    files = [file for folder in folders if (file := folder / f"{model}.json").is_file()]
    if Path(model).name != model or not files:
        known = {path.stem for folder in folders for path in folder.glob("*.json")}
        raise KeyError(explain_unknown_name("open_clip model", model, sorted(known)))
    return files[-1]


@lru_cache(maxsize=64)
def _parse_architecture(file: Path) -> Architecture:
    fields = json.loads(file.read_text(encoding="utf-8"))
    image = fields.get("vision_cfg", {})
    parse = _parse_timm if "timm_model_name" in image else _parse_resnet if is_resnet(image) else _parse_vit
    text = fields.get("text_cfg", {})
    return replace(
        parse(image, fields["embed_dim"]),
        tokenizer=text.get("hf_tokenizer_name", ""),
        context_length=text.get("context_length", Architecture.context_length),
        unsupported=tuple(find_unsupported(fields)),
    )


def _parse_vit(image: Mapping[str, Any], embed_dim: int) -> Architecture:
    depth, width, patch_size = (image.get(name) or 0 for name in ("layers", "width", "patch_size"))
    shapes = {"visual.conv1.weight": (width, 3, patch_size, patch_size), "visual.proj": (width, embed_dim)}
    return Architecture(
        embed_dim,
        depth=depth,
        width=width,
        patch_size=patch_size,
        num_prefix=1,
        has_class_embedding=True,
        tensor_shapes=shapes if width and patch_size else {},
    )


def _parse_resnet(image: Mapping[str, Any], embed_dim: int) -> Architecture:
    width = image.get("width", 0)  # number of channels of the stem; the last stage has 32 times as many
    shapes = {"visual.conv1.weight": (width // 2, 3, 3, 3), "visual.attnpool.c_proj.weight": (embed_dim, 32 * width)}
    return Architecture(embed_dim, tensor_shapes=shapes if width else {})


def _parse_timm(image: Mapping[str, Any], embed_dim: int) -> Architecture:
    sizes = look_up_sizes(image["timm_model_name"])
    if sizes is None:
        return Architecture(embed_dim, is_timm=True)
    return Architecture(
        embed_dim,
        depth=sizes.depth,
        width=sizes.width,
        patch_size=sizes.patch_size,
        num_prefix=sizes.num_prefix,
        has_class_embedding=(image.get("timm_pool", "avg") or sizes.pool) == "token",
        is_timm=True,
        tensor_shapes={"visual.trunk.patch_embed.proj.weight": (sizes.width, 3, sizes.patch_size, sizes.patch_size)},
    )


def _list_folders() -> list[Path]:
    spec = find_spec("open_clip")
    locations = spec.submodule_search_locations if spec is not None else None
    own = get_user_folder()
    return [*(Path(location) / "model_configs" for location in locations or ()), ASSETS, *([own] if own else [])]


def check_support(architecture: Architecture, *, model: str) -> None:
    """Check that images and texts can be embedded by an architecture.

    Args:
        architecture: What is known of it.
        model: Its name.

    Raises:
        ValueError: Something is not supported; the message lists everything.
    """
    if architecture.unsupported:
        problems = ", ".join(architecture.unsupported)
        raise ValueError(f"open_clip model {model!r} is not supported: {problems}; choose another one, as ViT-B-16")
