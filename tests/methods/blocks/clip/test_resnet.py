"""CLIP's ResNets: accepted where whole images are embedded, refused where patches are needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save_file

from benchmark.core.budget import Budget
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.config import AnyClipConfig, ClipConfig
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.clip.loading import load_clip
from methods.blocks.clip.plan_checks import check_patches
from methods.blocks.clip.pretrained import rename_tensors
from methods.blocks.clip.user_folder import VARIABLE
from tests.methods.blocks.clip.tiny_towers import ARCHITECTURES, RESNET, load_tiny


@pytest.fixture(autouse=True)
def _tiny_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(ARCHITECTURES))


@pytest.mark.parametrize(("model", "size"), {"RN50": 1024, "RN101": 512, "RN50x4": 640, "RN50x16": 768}.items())
def test_the_published_ones_are_supported_without_patches(model: str, size: int) -> None:
    architecture = read_architecture(f"{model}-quickgelu")
    assert architecture.embed_dim == size and not architecture.unsupported
    assert not (architecture.has_patches or architecture.has_class_embedding or architecture.num_prefix)


def test_a_config_that_needs_patches_refuses_them_when_a_run_is_planned() -> None:
    AnyClipConfig(model=RESNET, weights="random").check_plan(Budget())
    with pytest.raises(ValueError, match="patches, but the image encoder of tiny-resnet is a ResNet"):
        ClipConfig(model=RESNET, weights="random").check_plan(Budget())


def test_what_needs_patches_says_so() -> None:
    check_patches("ViT-B-16-SigLIP", needed_by="this")
    with pytest.raises(ValueError, match=r"^this, but the image encoder of RN50 is a ResNet, .* whole images alone"):
        check_patches("RN50", needed_by="this")


def test_the_encoder_of_patches_refuses_them() -> None:
    with pytest.raises(ValueError, match="no ViT image encoder: ModifiedResNet"):
        ClipImageEncoder(load_tiny(RESNET).visual)


@pytest.mark.parametrize("use", [load_clip, lambda config: config.check_plan(Budget())])
def test_a_wrong_activation_of_the_text_encoder_is_an_error_before_anything_is_downloaded(
    use: Callable[[AnyClipConfig], object],
) -> None:
    with pytest.raises(ValueError, match=r"differ in their activation function.*QuickGELU.*'RN50x16-quickgelu'"):
        use(AnyClipConfig(model="RN50x16", weights="openai"))


def test_a_file_of_another_one_is_refused_when_a_run_is_planned(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    save_file(load_tiny(RESNET).state_dict(), file)
    AnyClipConfig(model=RESNET, weights=str(file)).check_plan(Budget())
    expected = r"visual\.conv1\.weight of the file is \(4, 3, 3, 3\), the model's \(40, 3, 3, 3\)"
    with pytest.raises(ValueError, match=expected):
        AnyClipConfig(model="RN50x4", weights=str(file)).check_plan(Budget())


def test_missing_numbers_of_batches_are_those_of_an_untrained_model() -> None:
    model = load_tiny(RESNET)
    tensors = {name: value for name, value in model.state_dict().items() if "num_batches_tracked" not in name}
    renamed = rename_tensors(tensors, model)
    assert renamed.keys() == model.state_dict().keys() != tensors.keys()
    assert renamed["visual.bn1.num_batches_tracked"] == 0
