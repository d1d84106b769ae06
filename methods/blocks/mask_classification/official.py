"""Official names of the parts that zsseg and DeOP share: the segmenter and learned prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from methods.blocks.mask_former import MaskFormer, list_mask_former_rules, rename_encoder
from methods.blocks.official_weights import Rule, rename_tensors

_TEXT_ENCODER = r"(token_embedding|transformer|ln_final|positional_embedding|text_projection)(\..+)?"


def list_learned_prompt_rules(adapter: str, *, into: str) -> list[Rule]:
    """Return rules for learned prompts and the text encoder that reads them.

    Args:
        adapter: Regular expression of the official prefix.
        into: Prefix in the method's state dict, such as "text.".
    """
    return [
        (rf"{adapter}prompt_learner\.prefix_prompt", f"{into}prefix"),
        (rf"{adapter}clip_model\.{_TEXT_ENCODER}", rf"{into}\1\2"),
    ]


def rename_with_segmenter(
    official: Mapping[str, Tensor], segmenter: MaskFormer, *, rules: Sequence[Rule], source: str
) -> dict[str, Tensor]:
    """Translate a checkpoint of a method whose segmenter is named "segmenter".

    Args:
        official: Tensors by official name.
        segmenter: The method's segmenter.
        rules: Rules of everything else.
        source: Description of the expected file for error messages.

    Raises:
        ValueError: A name is unknown or missing.
    """
    into = "segmenter."
    all_rules = [(r"backbone\..+", None), *list_mask_former_rules(segmenter, into=into), *rules]
    renamed = rename_tensors(official, all_rules, source=source)
    return {**rename_encoder(official, segmenter, into=into), **renamed}
