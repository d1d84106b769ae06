"""Names of the tensors in official checkpoints of ZegCLIP's family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt

import torch
from torch import Tensor

from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.clip.positions import resize_positions
from methods.blocks.official_weights import Rule, rename_tensors
from methods.blocks.prompted_clip.method import PromptedSegmenter

VISUAL = "encoder.encoder.visual."
"""Prefix of CLIP's image encoder in the state dict of `PromptedSegmenter`."""

TOLERANCE = 1e-3
"""Largest difference between the same positions in two files, one of which may be in half precision."""

ENCODER_RULES: tuple[Rule, ...] = (
    (r"backbone\.prompt_embeddings", "first prompts"),
    (r"backbone\.deep_prompt_embeddings", "deep prompts"),
    (r"backbone\.prompt_proj\.(weight|bias)", r"encoder.prompts.project.\1"),
    (r"backbone\.prompt_norm\.(weight|bias)", r"encoder.norm.\1"),
    (r"backbone\.positional_embedding", rf"{VISUAL}positional_embedding"),
    (r"backbone\.(conv1\.weight|class_embedding|proj)", rf"{VISUAL}\1"),
    (r"backbone\.(ln_pre|ln_post)\.(weight|bias)", rf"{VISUAL}\1.\2"),
    (r"backbone\.(transformer\.resblocks\..+)", rf"{VISUAL}\1"),
    (r"text_encoder\..+", None),  # never trained, hence CLIP's own
    (r"decode_head\.loss_decode\..+", None),  # weights of a classification loss that is not used
)


def make_decoder_rules(official: str, ours: str, *, layers: int) -> tuple[Rule, ...]:
    """Return the rules of a decoder.

    Args:
        official: Official name of the decoder, as a regular expression.
        ours: Our name of the `MaskDecoder`.
        layers: Number of layers.
    """
    last = rf"{official}\.layers\.{layers - 1}"
    attention, names = r"multihead_attn\.{}\.(weight|bias)", {"q": "scores.query", "k": "scores.key"}
    inner = {"v": "value", "proj": "update.merge", **names}
    others = {"norm2": "attention_norm", "norm3": "mlp_norm", "linear1": "expand", "linear2": "contract"}
    layer = rf"{official}\.layers\.(\d+)"
    return (
        (rf"{official}\.layers\.\d+\.(self_attn|norm1)\..+", None),  # the layers have no self-attention
        *((rf"{last}\.{attention.format(name)}", rf"{ours}.{new}.\1") for name, new in names.items()),
        (rf"{last}\..+", None),  # what follows the attention of the last layer influences nothing
        *((rf"{layer}\.{attention.format(name)}", rf"{ours}.layers.\1.{new}.\2") for name, new in inner.items()),
        *((rf"{layer}\.{name}\.(weight|bias)", rf"{ours}.layers.\1.update.{new}.\2") for name, new in others.items()),
    )


def convert_prompted_clip(
    official: Mapping[str, Tensor], method: PromptedSegmenter, *, head_rules: Sequence[Rule], source: str
) -> dict[str, Tensor]:
    """Translate the names of an official checkpoint, including those of CLIP's image encoder and the prompts.

    Args:
        official: Tensors by official name.
        method: Method that the tensors are for.
        head_rules: Rules of the head.
        source: Description of the expected file for error messages.

    Returns:
        Tensors by name in the state dict of the method.

    Raises:
        ValueError: A name is unknown or missing, or the positions are those of another CLIP.
    """
    tensors = rename_tensors(official, [*head_rules, *ENCODER_RULES], source=source)
    prompts = [tensors.pop("first prompts"), tensors.pop("deep prompts")]
    tensors["encoder.prompts.vectors"] = torch.cat(prompts)  # (depth, M, C)
    name = f"{VISUAL}positional_embedding"
    tensors[name] = _restore_positions(tensors[name], method.encoder.encoder, source=source)
    return tensors


def _restore_positions(resized: Tensor, encoder: ClipImageEncoder, *, source: str) -> Tensor:
    """Return positions on CLIP's own grid, (1 + h·w, C), for those of a file, which may be on the grid of its crops.

    Raises:
        ValueError: The positions of the encoder, resized to that grid, differ from those of the file.
    """
    positions: Tensor = encoder.visual.positional_embedding.detach()
    if resized.shape == positions.shape:
        return resized
    side = isqrt(max(resized.shape[:1].numel() - 1, 0))
    if not side or (1 + side**2, positions.shape[1]) != tuple(resized.shape):
        found, rows = tuple(resized.shape), f"1 + n² rows of {positions.shape[1]} numbers"
        raise ValueError(f"the file is not {source} with this CLIP: its positions are {found}, expected {rows}")
    expected = resize_positions(positions, trained=encoder.trained_grid, grid=(side, side))
    difference = float((expected - resized.to(expected)).abs().max())
    if difference > TOLERANCE:
        raise ValueError(
            f"the file is not {source} for this CLIP: its positions differ from those of clip.weights by "
            f"{difference:.2g}; give the weights that it was trained from, such as clip.weights=openai"
        )
    return positions
