"""Names of networks as papers write them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from methods.blocks import AnyClipConfig, SmpBodyConfig
from methods.blocks.bodies.d2.config import D2BodyConfig
from methods.blocks.mask_former import MaskFormerConfig
from methods.blocks.network_names import name_clip, name_encoder, name_timm_model


@pytest.mark.parametrize(
    ("model", "weights", "name"),
    [
        ("ViT-B-16-quickgelu", "openai", "CLIP ViT-B/16"),
        ("ViT-L-14-336-quickgelu", "openai", "CLIP ViT-L/14@336"),
        ("RN50x64", "openai", "CLIP RN50x64"),
        ("ViT-B-16-quickgelu", "metaclip_fullcc", "MetaCLIP ViT-B/16 (metaclip_fullcc)"),
        ("ViT-B-16", "laion2b_s34b_b88k", "CLIP ViT-B/16 (laion2b_s34b_b88k)"),
        ("ViT-B-16-SigLIP2-512", "webli", "SigLIP 2 ViT-B/16@512 (webli)"),
        ("EVA02-L-14-336", "merged2b_s6b_b61k", "EVA-CLIP EVA02-L/14@336 (merged2b_s6b_b61k)"),
        ("MobileCLIP2-L-14", "dfndr2b", "MobileCLIP2-L/14 (dfndr2b)"),
        ("coca_ViT-B-32", "laion2b_s13b_b90k", "CoCa ViT-B/32 (laion2b_s13b_b90k)"),
        ("toy-ViT-8", "toy", "toy CLIP ViT-8"),
        ("ViT-B-16", "random", "CLIP ViT-B/16 (random weights)"),
    ],
)
def test_a_clip_is_named_by_family_size_and_weights(model: str, weights: str, name: str) -> None:
    assert name_clip(model, weights, is_file=False) == name


def test_weights_of_a_file_are_named_by_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "metaclip_run.pt"
    torch.save({"x": torch.zeros(1)}, file)
    assert AnyClipConfig(weights=str(file)).describe_backbone() == ("CLIP ViT-B/16 (metaclip_run.pt)",)


def test_encoders_and_bodies_are_named_with_weights_that_are_not_those_of_imagenet() -> None:
    assert SmpBodyConfig().describe_backbone() == ("ResNet-50 DeepLabV3",)
    assert MaskFormerConfig().describe_backbone() == ("ResNet-50 MaskFormer",)
    assert name_encoder("tu-convnext_tiny", None, is_file=False) == "convnext_tiny (random weights)"
    assert name_encoder("mit_b2", "imagenet", is_file=False) == "MiT-B2"


def test_a_body_of_detectron2_is_named_by_its_config_file() -> None:
    body = D2BodyConfig(config="Misc/semantic_R_50_FPN_1x.yaml", decoder="deeplab", weights=None)
    assert body.describe_backbone() == ("semantic_R_50_FPN_1x of Detectron2 (random weights) with decoder deeplab",)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("vit_base_patch8_224.dino", "DINO ViT-B/8"),
        ("vit_base_patch14_reg4_dinov2.lvd142m", "DINOv2 ViT-B/14 with registers"),
        ("vit_base_patch16_224.augreg_in21k", "vit_base_patch16_224.augreg_in21k"),
    ],
)
def test_a_transformer_of_timm_is_named_if_its_family_is_known(model: str, name: str) -> None:
    assert name_timm_model(model, "pretrained", is_file=False) == name
