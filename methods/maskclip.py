"""MaskCLIP: dense labels from a frozen CLIP, without any training (arXiv 2112.01071, ECCV 2022).

Idea: remove the attention of CLIP's last block, so that every patch keeps its own value, and compare each patch with
the class embeddings. Variants keep the attention as trained or let tokens attend by their queries or keys, and stop
after the attention, as later training-free methods do.

Official code: chongzhou96/MaskCLIP at 245d31f (Apache-2.0). Exact: value path, tail, positions. Differences: we use
CLIP's own pixel statistics, activation and norm epsilon, and omit prompt denoising and key smoothing, which are off by
default in the official code too. Supervision: none; all class names are known at evaluation. Cost: that of CLIP's
`encode_image`.
"""

from __future__ import annotations

from benchmark.api import Supervision, Traits
from methods.blocks import Attention, Tail
from methods.blocks.dense_clip import DenseClipConfig, FixedAttentionConfig, make_dense_clip_recipe


def _make_config(attention: Attention, tail: Tail) -> DenseClipConfig:
    dense = FixedAttentionConfig(attention=attention, tail=tail)
    return DenseClipConfig(dense=dense, interpolation="bicubic", temperature=100.0)


VARIANTS = {
    "MaskCLIP": _make_config("value", "full"),
    "reduced tail": _make_config("value", "reduced"),
    "CLIP patches as they are": _make_config("vanilla", "full"),
    "vanilla attention, reduced tail": _make_config("vanilla", "reduced"),
    "query-query attention, reduced tail": _make_config("query-query", "reduced"),
    "key-key attention, reduced tail": _make_config("key-key", "reduced"),
}

RECIPE = make_dense_clip_recipe(
    title="MaskCLIP",
    paper="arXiv 2112.01071",
    traits=Traits(supervision=Supervision.NONE, is_deterministic=True, cost="CLIP once"),
    variants=VARIANTS,
)
