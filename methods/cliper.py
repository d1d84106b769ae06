"""CLIPer: dense labels from a frozen CLIP that attends as its early blocks do (arXiv 2411.13836, ICCV 2025).

Idea: the attentions of CLIP's earlier blocks are local and become that of the last block, which the tokens of every
block pass through; probabilities are averaged over the blocks, and the attention spreads those of the last one.

Official code: linsun449/cliper.code at c05fa41 (no license). Exact: the early-layer fusion, both its scaling in place
and its threshold in place. Ours: no background words, because vocabularies name every class; windows are settings of
the protocol (the official code mixes windows and the whole image on some datasets). Supervision: none; all class names
are known at evaluation. Cost: 1.2 times that of CLIP's `encode_image` at 224x224 and 1.3 times at 336x448: attentions
are written out, and the tokens of every block pass through the last one.

The fine-grained compensation of the paper takes its affinity from Stable Diffusion and is not part of this method. The
official code's other source of affinity, DINO, is the variant "finer by DINO", which needs the weights of that model
from the Hugging Face Hub.
"""

from __future__ import annotations

from typing import Any

from benchmark.api import Supervision, Traits
from methods.blocks.dense_clip import (
    DenseClipConfig,
    EarlyFusionConfig,
    ProxyAttentionConfig,
    TimmProxyConfig,
    make_dense_clip_recipe,
)


def _make_config(**fields: Any) -> DenseClipConfig:
    return DenseClipConfig(dense=EarlyFusionConfig(**fields), interpolation="bilinear", temperature=100.0)


VARIANTS = {
    "CLIPer": _make_config(),
    "one round of Sinkhorn": _make_config(sinkhorn="once"),
    "last block alone": _make_config(mean=False),
    "no threshold": _make_config(threshold=0.0),
    "finer by DINO": _make_config(fine=ProxyAttentionConfig(proxy=TimmProxyConfig(model="vit_base_patch16_224.dino"))),
}

RECIPE = make_dense_clip_recipe(
    title="CLIPer",
    paper="arXiv 2411.13836",
    traits=Traits(
        supervision=Supervision.NONE,
        reconstruction="CLIPer without its fine-grained compensation by Stable Diffusion.",
        is_deterministic=True,
        cost="CLIP once; its last block once for each block",
    ),
    variants=VARIANTS,
)
