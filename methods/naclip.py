"""NACLIP: dense labels from a frozen CLIP whose patches attend to their neighborhood (arXiv 2404.08181, WACV 2025).

Idea: patches attend by the similarity of their keys, plus a Gaussian of their distance; residual connection and MLP of
the last block are dropped.

Official code: sinahmr/NACLIP at 0cac3a6 (MIT). Exact: attention, Gaussian, tail, positions, temperature. Windows and
the short side of images are settings of the protocol: `--protocol sclip` has the official ones. The official code
also refines the scores by color unless told not to, which is the variant "refined by color" here; the paper reports
both. Supervision: none; all class names are known at evaluation. Cost: 5 % below that of CLIP's `encode_image`, because
the last MLP is dropped.
"""

from __future__ import annotations

from benchmark.api import Supervision, Traits
from methods.blocks.dense_clip import (
    DenseClipConfig,
    FixedAttentionConfig,
    NeighborAttentionConfig,
    make_dense_clip_recipe,
)
from methods.blocks.refinement import PamrConfig

VARIANTS = {
    "NACLIP": DenseClipConfig(dense=NeighborAttentionConfig()),
    "neighborhood only": DenseClipConfig(dense=NeighborAttentionConfig(attention="none")),
    "no neighborhood": DenseClipConfig(dense=FixedAttentionConfig(attention="key-key", tail="reduced")),
    "refined by color": DenseClipConfig(dense=NeighborAttentionConfig(), refinement=PamrConfig()),
    "full tail": DenseClipConfig(dense=NeighborAttentionConfig(tail="full")),
}

RECIPE = make_dense_clip_recipe(
    title="NACLIP",
    paper="arXiv 2404.08181",
    traits=Traits(supervision=Supervision.NONE, is_deterministic=True, cost="CLIP once"),
    variants=VARIANTS,
)
