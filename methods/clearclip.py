"""ClearCLIP: dense labels from a frozen CLIP whose last block is its attention alone (arXiv 2407.12442, ECCV 2024).

Idea: the residual connection and the MLP of CLIP's last block carry image-level noise; without them, and with
attention from queries to queries, patch features become local.

Official code: mc-lan/ClearCLIP at ad68a40 (S-Lab license, non-commercial). Exact: attention, tail, positions,
temperature. Windows and the short side of images are settings of the protocol. Supervision: none; all class names are
known at evaluation. Cost: 5 % below that of CLIP's `encode_image`, because the last MLP is dropped.
"""

from __future__ import annotations

from benchmark.api import Supervision, Traits
from methods.blocks.dense_clip import DenseClipConfig, FixedAttentionConfig, make_dense_clip_recipe

VARIANTS = {
    "ClearCLIP": DenseClipConfig(dense=FixedAttentionConfig(attention="query-query", tail="reduced"), temperature=50.0),
    "key-key attention": DenseClipConfig(
        dense=FixedAttentionConfig(attention="key-key", tail="reduced"), temperature=50.0
    ),
    "vanilla attention": DenseClipConfig(
        dense=FixedAttentionConfig(attention="vanilla", tail="reduced"), temperature=50.0
    ),
    "full tail": DenseClipConfig(dense=FixedAttentionConfig(attention="query-query", tail="full"), temperature=50.0),
}

RECIPE = make_dense_clip_recipe(
    title="ClearCLIP",
    paper="arXiv 2407.12442",
    traits=Traits(supervision=Supervision.NONE, is_deterministic=True, cost="CLIP once"),
    variants=VARIANTS,
)
