"""What of open_clip's architectures is not supported, read from their fields without importing open_clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from methods.blocks.clip.timm_table import look_up_sizes

_SIZES = ("image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size")
PLAIN_FIELDS = frozenset([*_SIZES, "ls_init_value", "patch_dropout", "act_kwargs", "norm_kwargs"])
"""Fields of an image encoder that CLIP's ResNets, and a ViT with a class token and standard blocks, may have."""


def is_resnet(image: Mapping[str, Any]) -> bool:
    """Return whether an image encoder is one of CLIP's ResNets, which have a number of layers for each stage.

    Args:
        image: Fields of the image encoder.
    """
    return isinstance(image.get("layers"), list)


def find_unsupported(fields: Mapping[str, Any]) -> list[str]:
    """Return what of an architecture is not supported, each in a few words; empty if everything is.

    Args:
        fields: Content of the architecture's file in open_clip.
    """
    text = fields.get("text_cfg", {})
    problems = _find_unsupported_image(fields.get("vision_cfg", {}))
    if "multimodal_cfg" in fields:
        problems.append("a multimodal decoder")
    if "hf_model_name" in text:
        problems.append(f"the text encoder {text['hf_model_name']} of transformers")
    if "hf_tokenizer_name" not in text and "hf_model_name" not in text and "tokenizer_kwargs" in text:
        problems.append("options of CLIP's tokenizer")
    return problems


def _find_unsupported_image(image: Mapping[str, Any]) -> list[str]:
    if "timm_model_name" in image:
        name = image["timm_model_name"]
        return [] if look_up_sizes(name) else [f"no ViT image encoder ({name})"]
    if not isinstance(image.get("layers"), int | list):
        return ["an image encoder without a number of layers"]
    others = ", ".join(sorted(image.keys() - PLAIN_FIELDS))
    return [f"no plain {'ResNet' if is_resnet(image) else 'ViT'} image encoder ({others})"] if others else []
