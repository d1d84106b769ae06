"""SCLIP: dense labels from a frozen CLIP by correlative self-attention (arXiv 2312.01597, ECCV 2024).

Idea: in CLIP's last block, tokens attend to those with similar queries and to those with similar keys, so that a
patch collects from its own object.

Official code: wangf3014/SCLIP at b56bd30 (no license). Exact: attention, tail, positions, temperature. Windows and the
short side of images are settings of the protocol: `--protocol sclip` has the official ones. Background words and
thresholds are not part of generalized zero-shot segmentation, whose vocabularies name every class. Supervision: none;
all class names are known at evaluation. Cost: that of CLIP's `encode_image`.
"""

from __future__ import annotations

from benchmark.api import Supervision, Traits
from methods.blocks.dense_clip import DenseClipConfig, FixedAttentionConfig, make_dense_clip_recipe

VARIANTS = {
    "SCLIP": DenseClipConfig(dense=FixedAttentionConfig(attention="query-query+key-key")),
    "query-query attention": DenseClipConfig(dense=FixedAttentionConfig(attention="query-query")),
    "key-key attention": DenseClipConfig(dense=FixedAttentionConfig(attention="key-key")),
    "reduced tail": DenseClipConfig(dense=FixedAttentionConfig(attention="query-query+key-key", tail="reduced")),
}

RECIPE = make_dense_clip_recipe(
    title="SCLIP",
    paper="arXiv 2312.01597",
    traits=Traits(supervision=Supervision.NONE, is_deterministic=True, cost="CLIP once"),
    variants=VARIANTS,
)
