"""ResCLIP: dense labels from a frozen CLIP with a residual and a fed-back attention (arXiv 2411.15851, CVPR 2025).

Idea: the attention of intermediate blocks is local; its mean is blended into that of the last block. A first
segmentation says which patches belong to one object, and these attend to each other.

Official code: yvhangyang/ResCLIP at 0e085f7 (no license). Exact, with the blends and the threshold of its VOC setting
for every dataset and the first segmentation refined by color as there, except for pixels without a probable class: the
official code gives them the first class, background, which our vocabularies need not have. Here they have a label of
their own; `--set dense.fallback=0` is the official rule. Of several most frequent classes of a patch, the official code
takes the first of the vocabulary, we take the one that comes first in the image, so that the order of the names does
not matter. Without intermediate blocks and feedback it is NACLIP. `--protocol sclip` has its windows.
Supervision: none; all class names are known at evaluation. Cost: 1.2 times that of CLIP's `encode_image` at 336x448
with 20 classes; the first segmentation is refined class by class.
"""

from __future__ import annotations

from benchmark.api import Supervision, Traits
from methods.blocks.dense_clip import DenseClipConfig, ResidualAttentionConfig, make_dense_clip_recipe

VARIANTS = {
    "ResCLIP": DenseClipConfig(dense=ResidualAttentionConfig()),
    "no feedback": DenseClipConfig(dense=ResidualAttentionConfig(feedback=None)),
    "no intermediate blocks": DenseClipConfig(dense=ResidualAttentionConfig(blocks=())),
}

RECIPE = make_dense_clip_recipe(
    title="ResCLIP",
    paper="arXiv 2411.15851",
    traits=Traits(
        supervision=Supervision.NONE,
        is_deterministic=True,
        cost="CLIP once, its last block once more; refinement for each class",
    ),
    variants=VARIANTS,
    toy={"dense.blocks": [0, 1], "dense.residual.share": 0.05},
)
