"""SC-CLIP: dense labels from a frozen CLIP that its own intermediate features calibrate (arXiv 2411.15869).

Idea: outliers among the patch tokens are replaced by their neighbors; tokens are averaged over positions whose
intermediate features are similar; the last block attends by that similarity, too.

Official code: SuleBai/SC-CLIP at 0417ba9 (no license). Exact on square images; on others the official code exchanges
rows and columns of the outliers, which we do not. `--protocol sclip` has its windows. Supervision: none; all class
names are known at evaluation. Cost: 1.04 times that of CLIP's `encode_image` at 224x224 and 1.15 times at 336x448,
for the similarities and a second pass through the last block.
"""

from __future__ import annotations

from benchmark.api import Supervision, Traits
from methods.blocks.dense_clip import DenseClipConfig, SelfCalibrationConfig, make_dense_clip_recipe

VARIANTS = {
    "SC-CLIP": DenseClipConfig(dense=SelfCalibrationConfig()),
    "outliers as they are": DenseClipConfig(dense=SelfCalibrationConfig(outliers=0.0)),
    "no averaging after the last block": DenseClipConfig(dense=SelfCalibrationConfig(after=None)),
    "one level": DenseClipConfig(dense=SelfCalibrationConfig(levels=())),
    "no class token": DenseClipConfig(dense=SelfCalibrationConfig(class_share=0.0)),
}

RECIPE = make_dense_clip_recipe(
    title="SC-CLIP",
    paper="arXiv 2411.15869",
    traits=Traits(supervision=Supervision.NONE, is_deterministic=True, cost="CLIP once, its last block once more"),
    variants=VARIANTS,
    toy={"dense.before": 1, "dense.after": 0, "dense.levels": [0, 1], "dense.threshold": 0.9},
)
