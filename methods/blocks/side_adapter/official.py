"""Names of the tensors in checkpoints of MendelXu/SAN (the `model` table of Detectron2's files)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from methods.blocks.official_weights import Rule, rename_tensors

SOURCE = "a checkpoint of MendelXu/SAN"

_SIDE, _LAYER = r"side_adapter_network\.", r"side_adapter_network\.vit_model\.blocks\.(\d+)\."
_DECODER = r"side_adapter_network\.mask_decoder\."
_PART = r"(weight|bias)"

_RULES: tuple[Rule, ...] = (
    (_SIDE + r"vit_model\.pos_embed", "side.positions"),
    (_SIDE + r"vit_model\.patch_embed\.proj\." + _PART, r"side.embed.\1"),
    (_LAYER + r"norm([12])\." + _PART, r"side.layers.\1.norm\2.\3"),
    (_LAYER + r"attn\.qkv\." + _PART, r"side.layers.\1.self_attn.in_proj_\2"),
    (_LAYER + r"attn\.proj\." + _PART, r"side.layers.\1.self_attn.out_proj.\2"),
    (_LAYER + r"mlp\.fc([12])\." + _PART, r"side.layers.\1.linear\2.\3"),
    (_SIDE + r"query_embed", "side.queries"),
    (_SIDE + r"query_pos_embed", "side.query_positions"),
    (_SIDE + r"fusion_layers\.layer_(\d+)\.input_proj\.0\." + _PART, r"side.fusions.\1.norm.\2"),
    (_SIDE + r"fusion_layers\.layer_(\d+)\.input_proj\.1\." + _PART, r"side.fusions.\1.project.\2"),
    (_DECODER + r"query_mlp\.layers\.(\d+)\." + _PART, r"side.query_mlp.layers.\1.\2"),
    (_DECODER + r"pix_mlp\.layers\.(\d+)\." + _PART, r"side.pixel_mlp.layers.\1.\2"),
    (_DECODER + r"attn_mlp\.layers\.(\d+)\." + _PART, r"recognition.biases.mlp.layers.\1.\2"),
    (_DECODER + r"bias_scaling\." + _PART, r"recognition.biases.scale.\1"),
    (
        r"clip_visual_extractor\.(class_embedding|positional_embedding|conv1\.weight|ln_pre\.weight|ln_pre\.bias)",
        r"image_encoder.visual.\1",
    ),
    (r"clip_visual_extractor\.(resblocks\..*)", r"image_encoder.visual.transformer.\1"),
    (r"clip_rec_head\.(proj|ln_post\.weight|ln_post\.bias)", r"image_encoder.visual.\1"),
    (r"ov_classifier\.bg_embed", "no_object"),
    (r"ov_classifier\.logit_scale", "log_scale"),
    # the frozen text encoder, which is loaded with CLIP
    (r"ov_classifier\.(transformer|token_embedding|ln_final)\..*", None),
    (r"ov_classifier\.(positional_embedding|text_projection|attn_mask)", None),
    (r"criterion\.empty_weight", None),  # weights of the classes of the authors' training, a setting here
)


def rename_official(
    official: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, start: int, depth: int
) -> dict[str, Tensor]:
    """Translate the names of a published checkpoint.

    Args:
        official: Tensors by official name.
        expected: State dict of our method. Its shapes replace official ones that differ in axes of length 1 alone,
            since 1x1 convolutions of the official code are linear layers here.
        start: First block of CLIP that the copies of the class token pass.
        depth: Number of CLIP's blocks.

    Returns:
        Tensors by our name.

    Raises:
        ValueError: A name is unknown or missing.
    """
    moved: tuple[Rule, ...] = tuple(
        (rf"clip_rec_head\.resblocks\.{index}\.(.*)", rf"image_encoder.visual.transformer.resblocks.{start + index}.\1")
        for index in range(depth - start)
    )
    renamed = rename_tensors(official, (*_RULES, *moved), source=SOURCE)
    return {name: _fit(value, expected[name]) if name in expected else value for name, value in renamed.items()}


def _fit(value: Tensor, expected: Tensor) -> Tensor:
    """Drop or add axes of length 1, if nothing else differs from the expected shape."""
    sides, wanted = ([side for side in some.shape if side != 1] for some in (value, expected))
    return value.reshape(expected.shape) if sides == wanted else value
