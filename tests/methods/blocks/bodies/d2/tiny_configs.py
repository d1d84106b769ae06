"""Config files of tiny bodies, one for each family of backbones, that Detectron2 builds quickly."""

from __future__ import annotations

from pathlib import Path

RESNET = """
VERSION: 2
MODEL:
  META_ARCHITECTURE: SemanticSegmentor
  BACKBONE: {NAME: build_resnet_fpn_backbone}
  RESNETS:
    OUT_FEATURES: [res2, res3, res4, res5]
    STEM_OUT_CHANNELS: 8
    RES2_OUT_CHANNELS: 16
    WIDTH_PER_GROUP: 4
  FPN: {IN_FEATURES: [res2, res3, res4, res5], OUT_CHANNELS: 16}
  SEM_SEG_HEAD: {CONVS_DIM: 32}
"""

DEEPLAB = """
VERSION: 2
MODEL:
  META_ARCHITECTURE: SemanticSegmentor
  BACKBONE: {NAME: build_resnet_deeplab_backbone, FREEZE_AT: 0}
  RESNETS:
    OUT_FEATURES: [res2, res5]
    STEM_OUT_CHANNELS: 8
    RES2_OUT_CHANNELS: 16
    WIDTH_PER_GROUP: 4
    RES5_DILATION: 2
    NORM: SyncBN
  SEM_SEG_HEAD:
    NAME: DeepLabV3PlusHead
    IN_FEATURES: [res2, res5]
    PROJECT_CHANNELS: [8]
    CONVS_DIM: 32
    ASPP_CHANNELS: 32
    NORM: SyncBN
INPUT:
  FORMAT: RGB
  CROP: {ENABLED: True, TYPE: absolute, SIZE: [512, 1024]}
"""

_LAZY = """
from functools import partial
from torch import nn
from detectron2 import model_zoo
from detectron2.config import LazyCall
from detectron2.modeling import {kind}

model = model_zoo.get_config("common/models/{base}.py").model
train = model_zoo.get_config("common/train.py").train
model.backbone.out_channels = 16
"""

VITDET = _LAZY.format(kind="ViT", base="mask_rcnn_vitdet") + (
    "model.backbone.net.update(embed_dim=16, depth=2, num_heads=2, window_block_indexes=[0])\n"
)

SWIN = _LAZY.format(kind="SwinTransformer", base="mask_rcnn_fpn") + (
    "model.backbone.bottom_up = LazyCall(SwinTransformer)(depths=[1] * 4, embed_dim=16, num_heads=[1, 1, 2, 2])\n"
    "model.backbone.in_features = ('p0', 'p1', 'p2', 'p3')\n"
)

MVIT = _LAZY.format(kind="MViT", base="mask_rcnn_fpn") + (
    "model.backbone.bottom_up = LazyCall(MViT)(embed_dim=16, depth=4, num_heads=1, last_block_indexes=(0, 1, 2, 3),\n"
    "    norm_layer=partial(nn.LayerNorm, eps=1e-6), out_features=('scale2', 'scale3', 'scale4', 'scale5'))\n"
    "model.backbone.in_features = '${.bottom_up.out_features}'\n"
)

FILES = {
    "resnet.yaml": RESNET,
    "deeplab.yaml": DEEPLAB,
    "vitdet.py": VITDET,
    "swin.py": SWIN,
    "mvit.py": MVIT,
}


def write(folder: Path, name: str) -> str:
    """Write one of the files and return its path."""
    (folder / name).write_text(FILES[name])
    return str(folder / name)
