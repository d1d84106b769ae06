"""Names of the tensors in published checkpoints of CAT-Seg, and their names here."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from methods.blocks.cost_aggregation.fine_tuning import store_as_frozen
from methods.blocks.official_weights import Rule, rename_tensors, stack_rows

_HEAD = r"sem_seg_head\.predictor\.transformer\."
_LAYER, _OURS = _HEAD + r"layers\.(\d+)\.", r"aggregator.layers.\1."
_CLIP = r"sem_seg_head\.predictor\.clip_model\."
_PROJECTION = re.compile(rf"({_CLIP}.+\.)[qkv]_proj_weight")


def _list_swin_rules(block: int) -> list[Rule]:
    """Return the rules of the first (1) or second (2) Swin block of a layer."""
    official, ours = rf"{_LAYER}swin_block\.block_{block}\.", rf"{_OURS}spatial.blocks.{block - 1}."
    names = {"attn.q": "project.query", "attn.k": "project.key", "attn.v": "project.value", "attn.proj": "merge"}
    names |= {"mlp.fc1": "mlp.0", "mlp.fc2": "mlp.2", "norm1": "norm1", "norm2": "norm2"}
    return [(rf"{official}{re.escape(old)}\.(\w+)", rf"{ours}{new}.\2") for old, new in names.items()]


def _list_class_rules() -> list[Rule]:
    """Return the rules of the attention over classes of a layer."""
    names = {"attention.q": "project.query", "attention.k": "project.key", "attention.v": "project.value"}
    names |= {"MLP.0": "mlp.layers.0", "MLP.2": "mlp.layers.1", "norm1": "norm1", "norm2": "norm2"}
    rules: list[Rule] = [
        (rf"{_LAYER}attention\.{re.escape(old)}\.(\w+)", rf"{_OURS}classes.{new}.\2") for old, new in names.items()
    ]
    rules.append((rf"{_LAYER}attention\.padding_tokens", rf"{_OURS}classes.empty"))
    return [*rules, (rf"{_LAYER}attention\.padding_guidance", rf"{_OURS}classes.empty_guidance")]


def _list_decoder_rules() -> list[Rule]:
    """Return the rules of the two stages of the decoder and of their guidance."""
    names = {"up": "upsample", "conv.double_conv.0": "conv1", "conv.double_conv.1": "norm1"}
    names |= {"conv.double_conv.3": "conv2", "conv.double_conv.4": "norm2"}
    rules: list[Rule] = [(rf"{_HEAD}head\.(\w+)", r"aggregator.decoder.head.\1")]
    for stage in (0, 1):
        ours = f"aggregator.decoder.stages.{stage}."
        rules += [
            (rf"{_HEAD}decoder{stage + 1}\.{re.escape(old)}\.(\w+)", rf"{ours}{new}.\1") for old, new in names.items()
        ]
        rules.append((rf"upsample{stage + 1}\.(\w+)", rf"aggregator.decoder.guidance.{stage}.upsample.\1"))
    return [
        *rules,
        (rf"{_HEAD}decoder_guidance_projection\.(\d+)\.0\.(\w+)", r"aggregator.decoder.guidance.\1.project.\2"),
    ]


RULES: list[Rule] = [
    *_list_swin_rules(1),
    *_list_swin_rules(2),
    (rf"{_LAYER}swin_block\.block_\d\.attn_mask", None),  # computed from the sizes of grid and window
    (rf"{_LAYER}swin_block\.guidance_norm\.(\w+)", rf"{_OURS}spatial.norm.\2"),
    *_list_class_rules(),
    (rf"{_HEAD}conv1\.(\w+)", r"aggregator.embed.convolution.\1"),
    (rf"{_HEAD}guidance_projection\.0\.(\w+)", r"aggregator.project_image.\1"),
    (rf"{_HEAD}text_guidance_projection\.0\.(\w+)", r"aggregator.project_text.\1"),
    *_list_decoder_rules(),
    (rf"{_CLIP}visual\.(.+)", r"image_encoder.visual.\1"),
    (rf"{_CLIP}(.+)", r"text.encoder.\1"),
]


def convert_official(official: Mapping[str, Tensor], method: nn.Module) -> dict[str, Tensor]:
    """Translate the names of a checkpoint of the official code.

    The fine-tuned CLIP becomes the frozen one here, to which updates of zero are added.

    Args:
        official: Tensors by official name: aggregator, upsampling and both encoders of CLIP.
        method: CAT-Seg with a text encoder that is trained, as in the paper.

    Returns:
        Tensors by name in the state dict of the method.

    Raises:
        ValueError: A name is unknown or missing, or the method has no text encoder of its own.
    """
    if not any(name.startswith("text.encoder.") for name in method.state_dict()):
        raise ValueError(
            "checkpoints of CAT-Seg hold a fine-tuned text encoder, and this variant has none: give a variant whose "
            "class embeddings come from a text encoder with fine_tuning"
        )
    packed = dict(official)
    for layer in dict.fromkeys(match[1] for name in official if (match := _PROJECTION.fullmatch(name))):
        stack_rows(packed, [f"{layer}{part}_proj_weight" for part in "qkv"], into=f"{layer}in_proj_weight")
    tensors = rename_tensors(packed, RULES, source="a checkpoint of CAT-Seg")
    for name in [name for name in tensors if re.search(r"\.classes\.empty(_guidance)?$", name)]:
        tensors[name] = tensors[name].flatten()
    return store_as_frozen(tensors, method)
