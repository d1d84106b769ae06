"""Encoders of feature pyramids, of segmentation-models-pytorch or timm."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from torch import nn

from benchmark.utils.did_you_mean import explain_unknown_name


def build_encoder(
    name: str, *, weights: str | None, depth: int, levels: int, multi_grid: Sequence[int] = ()
) -> nn.Module:
    """Build an encoder, with ImageNet weights if `weights` is "imagenet", otherwise with random ones.

    Args:
        name: Name of an encoder of segmentation-models-pytorch.
        weights: Weights of a config; a file is not read.
        depth: Number of stages.
        levels: Number of stages that are used.
        multi_grid: Dilations of the blocks of the last stage; empty for no change.

    Raises:
        ValueError: There is no such encoder, it has fewer stages or blocks, or its weights cannot be fetched.
    """
    import segmentation_models_pytorch as smp  # not above: importing takes seconds, and planning builds no network

    if levels > depth:
        raise ValueError(f"levels={levels} of depth={depth} stages cannot be used: lower levels")
    pretrained = "imagenet" if weights == "imagenet" else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
            encoder: nn.Module = smp.encoders.get_encoder(name, depth=depth, weights=pretrained)
    except KeyError as error:
        near = get_close_matches(name, smp.encoders.get_encoder_names(), n=5, cutoff=0)
        known = explain_unknown_name("encoder", name, near)
        raise ValueError(f"pyramid.encoder: {known}, others, and tu- with any name of timm") from error
    except (RuntimeError, OSError) as error:
        line = str(error).splitlines()[0][:200]
        raise ValueError(
            f"cannot build encoder {name!r} with weights {weights!r} ({line}); without network "
            f"access, set pyramid.weights to null or to the path of a weight file"
        ) from error
    if multi_grid:
        _dilate_stage(encoder, f"layer{depth - 1}", multi_grid, name=name)
    return encoder


def _dilate_stage(encoder: Any, layer: str, multi_grid: Sequence[int], *, name: str) -> None:
    """Set the dilations of the 3 x 3 convolutions of a ResNet's stage, block by block."""
    stage = getattr(getattr(encoder, "model", encoder), layer, ())
    if len(stage) != len(multi_grid):
        raise ValueError(
            f"multi_grid={multi_grid} names {len(multi_grid)} blocks, and the last stage of "
            f"{name!r} has {len(stage)}: give a dilation for each block of a ResNet, or an empty tuple"
        )
    for block, dilation in zip(stage, multi_grid, strict=True):
        block.conv2.dilation = block.conv2.padding = (dilation, dilation)
