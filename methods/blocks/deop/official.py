"""Translation of official DeOP checkpoints to the names of our parts.

The official file holds the network of the repository's model with learned positions: MaskFormer, CLIP, learned prompts,
and what DeOP adds. The rules here are for what DeOP adds, and for CLIP's image encoder.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from methods.blocks.mask_classification.official import list_learned_prompt_rules, rename_with_segmenter
from methods.blocks.mask_former import MaskFormer
from methods.blocks.official_weights import Rule, split_rows

IMAGE_ENCODER = r"clip_adapter\.clip_model\.visual\."
ENCODER_RULES: tuple[Rule, ...] = (
    (IMAGE_ENCODER + r"learned_position", r"dense.extra_positions.0"),
    (IMAGE_ENCODER + r"transformer\.resblocks\.(\d+)\.learned_position", r"dense.extra_positions.\1"),
    (IMAGE_ENCODER + r"(.+)", r"dense.encoder.visual.\1"),
)
"""CLIP's image encoder and the extra positions."""

_LAYER, _LAST = r"decoder\.layers\.(\d+)\.", r"decoder\.outlayer\."
ANCHOR_RULES: tuple[Rule, ...] = (
    (r"query_embedding\.weight", r"regions.anchors"),
    (_LAYER + r"self_attn\.(.+)", r"regions.layers.\1.self_attention.\2"),
    (_LAYER + r"multihead_attn_my\.(.+)", r"regions.layers.\1.attention.\2"),
    (_LAYER + r"(linear|norm)(\d)\.(weight|bias)", r"regions.layers.\1.\2_\3.\4"),
    (_LAST + r"self_attn\.(.+)", r"regions.exchange.\1"),
    (_LAST + r"norm1\.(.+)", r"regions.norm.\1"),
    (_LAST + r"multihead_attn_my\.(in_proj_.+)", r"regions.select.\1"),
    (r"decoder\.norm\..+", None),  # of the outputs of the layers before the last, which no score is computed from
)
"""Anchors and their decoder."""


def split_last_attention(tensors: dict[str, Tensor]) -> None:
    """Split the input projection of the last attention of the anchors, in place.

    It has no values: the rows for them, which the official code never reads, are dropped.

    Args:
        tensors: Renamed tensors.

    Raises:
        ValueError: The projection is missing.
    """
    for kind in ("weight", "bias"):
        names = [f"regions.select.{part}.{kind}" for part in ("query", "key", "unused")]
        split_rows(tensors, f"regions.select.in_proj_{kind}", into=names)
        del tensors[names[-1]]


def rename_deop(official: Mapping[str, Tensor], *, segmenter: MaskFormer, learns_prompts: bool) -> dict[str, Tensor]:
    """Translate a checkpoint of DeOP with learned positions to our names.

    Args:
        official: Tensors by official name.
        segmenter: Segmenter that the tensors are for.
        learns_prompts: Whether the prompts are learned.

    Raises:
        ValueError: A name is unknown or missing.
    """
    rules = [
        (r"sem_seg_head\.predictor\.class_embed\.(.+)", r"embed_queries.\1"),
        (r"clip_adapter\.non_object_embedding", "no_object"),
        *ENCODER_RULES,
        *ANCHOR_RULES,
        *(list_learned_prompt_rules(r"clip_adapter\.", into="text.") if learns_prompts else []),
        # tokens of CLIP, its temperature, and its text encoder if the prompts are fixed
        (r"clip_adapter\.(?:prompt_learner|clip_model)\..+", None),
    ]
    renamed = rename_with_segmenter(official, segmenter, rules=rules, source="a checkpoint of DeOP")
    split_last_attention(renamed)
    return renamed
