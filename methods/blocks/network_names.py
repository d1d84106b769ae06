"""Readable names of networks, as papers write them: CLIPs of open_clip, encoders of bodies, transformers of timm.

Only names are parsed, and nothing is imported or looked up: a name that follows no known pattern stays as it is.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from methods.blocks.clip.assets import RANDOM, TOY

CLIP_FAMILIES = {
    "siglip2": "SigLIP 2",
    "siglip": "SigLIP",
    "metaclip": "MetaCLIP",
    "clipa": "CLIPA",
    "coca": "CoCa",
    "eva0": "EVA-CLIP",
    "mobileclip": "MobileCLIP",
    "pe-core": "PE-Core",
    "vitamin": "ViTamin",
    "dfn": "DFN CLIP",
}
"""Names of families by a part of an architecture's name or of a tag of weights; the first that fits is taken."""
PROXY_FAMILIES = {"dinov3": "DINOv3", "dinov2": "DINOv2", "dino": "DINO", "mae": "MAE"}
"""Names of self-supervised models by a part of their name in timm; the first that fits is taken."""
SIZES = {"tiny": "Ti", "small": "S", "base": "B", "large": "L", "huge": "H", "giant": "g"}
RANDOM_WEIGHTS = "random weights"


def name_clip(model: str, weights: str, *, is_file: bool) -> str:
    """Return the name of a CLIP, such as "CLIP ViT-B/16", with the tag or file of weights that are not OpenAI's.

    Args:
        model: Architecture of open_clip.
        weights: Tag, path of a file, "toy" or "random".
        is_file: Whether the weights are a file.
    """
    if weights == TOY:
        return f"toy CLIP {model.removeprefix('toy-')}"
    text = f"{model} {'' if is_file else weights}".lower()
    key, family = next(((key, name) for key, name in CLIP_FAMILIES.items() if key in text), ("", "CLIP"))
    size = re.sub(r"-([A-Za-z0-9]+)-(\d\d?)(?=-|$)", r"-\1/\2", model.removesuffix("-quickgelu"), count=1)
    if family.replace(" ", "").lower() == key:  # the family is a word of its own, not the beginning of a size
        size = re.sub(rf"(?i)-{key}|{key}[-_](?=ViT)", "", size)
    size = re.sub(r"-(\d{3})$", r"@\1", size)
    name = size if size.lower().startswith(family.lower()) else f"{family} {size}"
    return name if weights == "openai" else f"{name} ({_name_weights(weights, is_file=is_file)})"


def name_encoder(encoder: str, weights: str | None, *, is_file: bool) -> str:
    """Return the name of an encoder, such as "ResNet-50", with its weights unless they are those of ImageNet.

    Args:
        encoder: Name in segmentation-models-pytorch, or in timm behind "tu-".
        weights: "imagenet", "toy", the path of a file, or None for random weights.
        is_file: Whether the weights are a file.
    """
    if weights == TOY:
        return "toy ResNet"
    name = re.sub(r"^resnet(?=\d)", "ResNet-", encoder.removeprefix("tu-"))
    name = re.sub(r"^mit_b(?=\d)", "MiT-B", name)
    return name if weights == "imagenet" else f"{name} ({_name_weights(weights, is_file=is_file)})"


def name_timm_model(model: str, weights: str, *, is_file: bool) -> str:
    """Return the name of a vision transformer, such as "DINO ViT-B/8", with its weights unless they are timm's.

    Args:
        model: Name in timm.
        weights: "pretrained", the path of a file, or "random".
        is_file: Whether the weights are a file.
    """
    match = re.match(r"vit_([a-z]+)_patch(\d+)", model)
    family = next((name for key, name in PROXY_FAMILIES.items() if key in model), "")
    name = model
    if match and match[1] in SIZES and family:
        registers = " with registers" if "_reg" in model else ""
        name = f"{family} ViT-{SIZES[match[1]]}/{match[2]}{registers}"
    return name if weights == "pretrained" else f"{name} ({_name_weights(weights, is_file=is_file)})"


def _name_weights(weights: str | None, *, is_file: bool) -> str:
    if weights is None or weights == RANDOM:
        return RANDOM_WEIGHTS
    return PurePath(weights).name if is_file else weights
