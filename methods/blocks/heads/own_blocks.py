"""Copies of CLIP's last blocks, trained or with random weights: what the frozen blocks of CSH are compared with."""

from __future__ import annotations

from copy import deepcopy

from torch import nn

from methods.blocks.clip.attention import Tail
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.heads.config import BlockWeights


def provide_blocks(
    image_encoder: ClipImageEncoder, *, start: int, tail: Tail, weights: BlockWeights
) -> ClipImageEncoder:
    """Return an encoder whose blocks from `start` on, final norm and projection have the wanted weights.

    The teacher needs CLIP as it is, so other weights than CLIP's frozen ones belong to a copy. It shares all blocks
    before `start` with the original.

    Args:
        image_encoder: The frozen CLIP.
        start: Index of the first block of the head.
        tail: Tail of the very last block; with "reduced", its MLP takes no part and stays frozen.
        weights: Wanted weights.
    """
    if weights == "CLIP":
        return image_encoder
    own = {id(parameter) for part in _list_parts(image_encoder, start, tail) for parameter in part.parameters()}
    own.add(id(image_encoder.visual.proj))
    shared = {id(parameter): parameter for parameter in image_encoder.parameters() if id(parameter) not in own}
    copied = ClipImageEncoder(deepcopy(image_encoder.visual, shared))
    parts = _list_parts(copied, start, tail)
    if weights.startswith("random"):
        for part in parts:
            part.apply(_reset)
        nn.init.normal_(copied.visual.proj, std=copied.width**-0.5)  # as open_clip does
    if weights.endswith("trained"):
        copied.visual.proj.requires_grad_(True)
        for part in parts:
            part.requires_grad_(True)
    return copied


def _list_parts(image_encoder: ClipImageEncoder, start: int, tail: Tail) -> list[nn.Module]:
    """Return the modules that tokens pass through from block `start` on."""
    visual = image_encoder.visual
    *blocks, last = visual.transformer.resblocks[start:]
    of_last = [last] if tail == "full" else [last.ln_1, last.attn]
    before = [visual.ln_pre] if start == 0 else []
    return [*before, *blocks, *of_last, visual.ln_post]


def _reset(module: nn.Module) -> None:
    """Draw new weights for one layer, as torch does when it creates the layer."""
    if isinstance(module, nn.MultiheadAttention):
        module._reset_parameters()
    elif isinstance(module, nn.Linear | nn.LayerNorm):
        module.reset_parameters()
