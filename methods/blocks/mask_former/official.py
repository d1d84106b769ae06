"""Names of MaskFormer's tensors in checkpoints of Detectron2, for the converters of methods that use it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from methods.blocks.mask_former.model import MaskFormer
from methods.blocks.official_weights import Rule

_LAYER = r"sem_seg_head\.predictor\.transformer\.decoder\.layers\.(\d+)\."
_BACKBONE = re.compile(r"backbone\.(?:stem|res(\d))\.(.+)\.(weight|bias|running_mean|running_var)")
_BASIC_STEM = {"conv1": "conv1", "conv1.norm": "bn1"}
_DEEPLAB_STEM = {
    "conv1": "conv1.0",
    "conv1.norm": "conv1.1",
    "conv2": "conv1.3",
    "conv2.norm": "conv1.4",
    "conv3": "conv1.6",
    "conv3.norm": "bn1",
}
"""Layers of the DeepLab stem, that of R101c, in timm."""


def list_mask_former_rules(segmenter: MaskFormer, *, into: str) -> list[Rule]:
    """Return rules for an official MaskFormer without its encoder, classifier and criterion.

    Args:
        segmenter: Our MaskFormer.
        into: Prefix of our names, such as "segmenter.".
    """
    levels = len(segmenter.pyramid.channels)
    rules: list[Rule] = []
    for index in range(levels):
        for source, target, has_relu in (("adapter", "laterals", False), ("layer", "outputs", True)):
            if source == "layer" or index < levels - 1:
                official = rf"sem_seg_head\.pixel_decoder\.{source}_{index + 1}\."
                inner = "0." if has_relu else ""
                ours = f"{into}pixel_decoder.{target}.{index}.{inner}"
                rules += [(official + "weight", ours + "0.weight"), (official + r"norm\.(weight|bias)", ours + r"1.\1")]
    rules += [
        (r"sem_seg_head\.pixel_decoder\.mask_features\.(\w+)", rf"{into}pixel_decoder.features.\1"),
        (_LAYER + r"self_attn\.(.+)", rf"{into}decoder.layers.\1.self_attention.\2"),
        (_LAYER + r"multihead_attn\.(.+)", rf"{into}decoder.layers.\1.attention.\2"),
        (_LAYER + r"(linear|norm)(\d)\.(\w+)", rf"{into}decoder.layers.\1.\2_\3.\4"),
        (r"sem_seg_head\.predictor\.transformer\.decoder\.norm\.(\w+)", rf"{into}decoder.norm.\1"),
        (r"sem_seg_head\.predictor\.query_embed\.weight", f"{into}decoder.queries"),
        (r"sem_seg_head\.predictor\.input_proj\.(\w+)", rf"{into}decoder.project.\1"),
        (r"sem_seg_head\.predictor\.mask_embed\.(.+)", rf"{into}embed_masks.\1"),
        (r"criterion\.empty_weight", None),  # follows from the number of classes and the weight of no-object
    ]
    return rules


def rename_encoder(official: Mapping[str, Tensor], segmenter: MaskFormer, *, into: str) -> dict[str, Tensor]:
    """Return the encoder of a file, a ResNet of Detectron2, under our names.

    Args:
        official: Tensors by official name; those that do not begin with "backbone." are not looked at.
        segmenter: Our MaskFormer, on a ResNet of segmentation-models-pytorch or timm.
        into: Prefix of our names, such as "segmenter.".

    Raises:
        ValueError: A tensor of the backbone has a name that no ResNet of Detectron2 has.
    """
    prefix = f"{into}pyramid.encoder." + ("model." if hasattr(segmenter.pyramid.encoder, "model") else "")
    stem = _DEEPLAB_STEM if "backbone.stem.conv3.weight" in official else _BASIC_STEM
    renamed: dict[str, Tensor] = {}
    for name in (name for name in official if name.startswith("backbone.")):
        match = _BACKBONE.fullmatch(name)
        layer = None if match is None else _name_layer(match[1], match[2], stem=stem)
        if match is None or layer is None:
            raise ValueError(
                f"the file has a tensor {name}, which no ResNet of Detectron2 has: give a checkpoint with one"
            )
        renamed[f"{prefix}{layer}.{match[3]}"] = official[name]
        if match[3] == "running_var":  # frozen batch norms of Detectron2 do not count batches
            renamed[f"{prefix}{layer}.num_batches_tracked"] = torch.tensor(0)
    return renamed


def _name_layer(stage: str | None, layer: str, *, stem: Mapping[str, str]) -> str | None:
    """Return our name of a layer of the stem (None) or a stage of Detectron2's ResNet; None if there is none."""
    if stage is None:
        return stem.get(layer)
    match = re.fullmatch(r"(\d+)\.(?:(shortcut)|conv(\d))(\.norm)?", layer)
    if match is None:
        return None
    part = f"downsample.{1 if match[4] else 0}" if match[2] else f"{'bn' if match[4] else 'conv'}{match[3]}"
    return f"layer{int(stage) - 1}.{match[1]}.{part}"
