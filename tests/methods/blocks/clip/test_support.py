"""What is known of architectures without importing open_clip or timm, compared with what they build."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import open_clip
import pytest

from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.assets import TOY_MODEL
from methods.blocks.clip.plan_checks import check_class_embedding
from methods.blocks.clip.pretrained import rename_tensors
from methods.blocks.clip.support import find_unsupported
from methods.blocks.clip.timm_sizes import TimmSizes
from methods.blocks.clip.timm_table import TABLE, look_up_sizes
from methods.blocks.clip.timm_tower import measure_tower
from methods.blocks.clip.user_folder import VARIABLE
from tests.methods.blocks.clip.tiny_towers import ARCHITECTURES, MODELS, RESNET, load_tiny

CONFIGS = Path(open_clip.__file__).parent / "model_configs"
IMAGES = [json.loads(file.read_text())["vision_cfg"] for file in sorted(CONFIGS.glob("*.json"))]
NETWORKS = sorted({image["timm_model_name"] for image in IMAGES if "timm_model_name" in image})
PLANNING = """
import sys
from methods.blocks.clip.plan_checks import check_clip
for model in {models}:
    check_clip(model, "random")
print(*{{"open_clip", "timm", "torchvision", "transformers"}} & sys.modules.keys())
"""


@pytest.mark.parametrize("names", [NETWORKS[::10], pytest.param(NETWORKS, marks=pytest.mark.slow)], ids=["some", "all"])
def test_the_table_has_the_sizes_of_all_networks_that_open_clip_names_and_we_support(names: list[str]) -> None:
    measured = {name: sizes for name in names if (sizes := measure_tower(name)) is not None}
    table = {name: TimmSizes(**fields) for name, fields in json.loads(TABLE.read_text()).items()}
    assert {*table} <= {*NETWORKS}
    expected = {name: sizes for name, sizes in table.items() if name in names}
    assert expected == measured, json.dumps({name: asdict(sizes) for name, sizes in measured.items()})


@pytest.mark.parametrize("model", MODELS)
def test_a_network_that_no_architecture_of_open_clip_names_is_measured(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(ARCHITECTURES))
    architecture, trunk = read_architecture(model), load_tiny(model).visual.trunk
    assert (architecture.depth, architecture.width, architecture.patch_size) == (3, 32, 8)
    assert architecture.num_prefix == trunk.num_prefix_tokens and not architecture.unsupported
    assert architecture.has_class_embedding == (trunk.global_pool == "token")


@pytest.mark.parametrize("model", [*MODELS, RESNET, TOY_MODEL])
def test_the_shapes_that_plans_compare_with_files_are_those_of_the_network(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(ARCHITECTURES))
    shapes, tensors = read_architecture(model).tensor_shapes, load_tiny(model).state_dict()
    assert shapes and {name: tuple(tensors[name].shape) for name in shapes} == shapes


def test_planning_with_a_listed_model_imports_neither_open_clip_nor_timm() -> None:
    script = PLANNING.format(models=["ViT-B-16-SigLIP", "EVA02-B-16", "ViT-H-14-worldwide", "PE-Core-B-16", "RN50"])
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_everything_that_is_not_supported_is_listed() -> None:
    image = {"layers": [3, 4, 6, 3], "width": 64, "output_tokens": True}
    fields = {"vision_cfg": image, "text_cfg": {"hf_model_name": "roberta-base"}, "multimodal_cfg": {}}
    assert [problem.split()[0] for problem in find_unsupported(fields)] == ["no", "a", "the"]
    assert find_unsupported({"vision_cfg": {"layers": 12, "qk_norm": True}}) == ["no plain ViT image encoder (qk_norm)"]
    assert find_unsupported({"vision_cfg": {"width": 64}}) == ["an image encoder without a number of layers"]


def test_a_network_that_timm_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match="the image encoder 'vit_of_nobody', which timm does not have"):
        look_up_sizes("vit_of_nobody")


def test_what_needs_the_class_token_says_so() -> None:
    check_class_embedding("EVA02-B-16", needed_by="this")
    with pytest.raises(ValueError, match=r"^this, but ViT-B-16-SigLIP pools patches and has no class token"):
        check_class_embedding("ViT-B-16-SigLIP", needed_by="this")


def test_files_with_the_text_encoder_beside_the_image_encoder_are_renamed() -> None:
    model = load_tiny("tiny-eva02")
    state = model.state_dict()
    old = {name.removeprefix("text."): value for name, value in state.items()}
    assert rename_tensors(old, model).keys() == rename_tensors(state, model).keys() == state.keys()


def test_a_missing_bias_of_logits_is_zero() -> None:
    model = load_tiny("tiny-siglip")
    tensors = {name: value for name, value in model.state_dict().items() if name != "logit_bias"}
    assert rename_tensors(tensors, model)["logit_bias"].item() == 0
