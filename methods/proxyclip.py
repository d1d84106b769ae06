"""ProxyCLIP: dense labels from a frozen CLIP that attends by other features (arXiv 2408.04883, ECCV 2024).

Idea: the features of a self-supervised model (DINO) say which positions belong together; CLIP's values are averaged
over them in place of CLIP's own attention.

Official code: mc-lan/ProxyCLIP at e7b767f (S-Lab license, non-commercial). Exact, except that the official code
exchanges rows and columns of windows that are not square, which we do not. The other model is pre-trained without
labels on ImageNet; on toybox it is the encoder of the toy body, except in the variants that name another model: these
need its weights from the Hugging Face Hub, and keep the shift and scale that were tuned for the body.

Supervision: none; all class names are known at evaluation. Cost: that of CLIP's `encode_image` and of the other model,
which for DINO of patches of 8 is the larger part by far: it sees four times as many patches.

Two successors correlate patches by the same function. Trident (YuHengsss/Trident at a93b346) without SAM is the variant
"DINO of patches of 16". CorrCLIP (zdk258/CorrCLIP at 103bc18) without its masks has another shift and scale, and sums
queries and keys of DINO, which `--set dense.proxy.features=query+key` does. What both do beyond that is not built:
Trident encodes windows and puts them together before they are compared with SAM's attention, CorrCLIP restricts the
attention to SAM's masks and adds two more branches.
"""

from __future__ import annotations

from benchmark.api import Supervision, Traits
from methods.blocks.dense_clip import DenseClipConfig, ProxyAttentionConfig, TimmProxyConfig, make_dense_clip_recipe
from methods.blocks.toy import TOY_BODY_CONFIG

VARIANTS = {
    "ProxyCLIP": DenseClipConfig(dense=ProxyAttentionConfig()),
    "DINO of patches of 16": DenseClipConfig(
        dense=ProxyAttentionConfig(proxy=TimmProxyConfig(model="vit_base_patch16_224.dino"))
    ),
    "DINOv2": DenseClipConfig(
        dense=ProxyAttentionConfig(proxy=TimmProxyConfig(model="vit_base_patch14_reg4_dinov2.lvd142m"))
    ),
    "no shift": DenseClipConfig(dense=ProxyAttentionConfig(shift=0.0)),
    "shift and scale of CorrCLIP": DenseClipConfig(dense=ProxyAttentionConfig(shift=1.0, scale=4.0)),
}

RECIPE = make_dense_clip_recipe(
    title="ProxyCLIP",
    paper="arXiv 2408.04883",
    traits=Traits(supervision=Supervision.NONE, is_deterministic=True, cost="CLIP once, the other model once"),
    variants=VARIANTS,
    toy={
        "dense.proxy": {"kind": "body", "body": TOY_BODY_CONFIG.model_dump(mode="json")},
        "dense.shift": 1.4,
        "dense.scale": 12.0,
    },
)
