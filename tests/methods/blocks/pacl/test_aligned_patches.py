"""The trained embedder of PACL on a frozen CLIP."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from methods.blocks import ClipConfig
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.pacl import AlignedPatches, AlignedPatchesConfig, VisionEmbedder, check_shifts_fit
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder, draw_classes, draw_image


def _make(attention: str = "vanilla") -> AlignedPatches:
    return AlignedPatches(build_tiny_encoder(), AlignedPatchesConfig.model_validate({"attention": attention}))


def test_the_embedder_has_as_many_parameters_as_the_paper_s_for_vit_b_16() -> None:
    sizes = read_architecture("ViT-B-16-quickgelu")
    embedder = VisionEmbedder(sizes.width, sizes.embed_dim)
    assert sum(parameter.numel() for parameter in embedder.parameters()) == 1_050_112


def test_the_embedder_is_a_linear_map_and_a_branch_with_gelu() -> None:
    embedder, tokens = VisionEmbedder(4, 3), torch.randn(2, 4)
    first, second, third = (layer.weight for layer in (embedder.direct, embedder.hidden, embedder.output))
    hidden = F.gelu(tokens @ second.T + embedder.hidden.bias)
    expected = tokens @ first.T + embedder.direct.bias + hidden @ third.T + embedder.output.bias
    torch.testing.assert_close(embedder(tokens), expected)


def test_only_embedder_and_temperature_are_trained() -> None:
    trained = {name.split(".")[0] for name, value in _make().named_parameters() if value.requires_grad}
    assert trained == {"embedder", "log_scale"}


def test_value_path_patches_depend_on_another_attention_than_vanilla_ones() -> None:
    vanilla, value = _make(), _make("value")
    value.embedder.load_state_dict(vanilla.embedder.state_dict())
    assert not torch.allclose(vanilla(draw_image(64, 96)), value(draw_image(64, 96)), atol=1e-2)


def test_the_learned_temperature_is_limited_as_clip_s() -> None:
    patches = _make()
    assert patches.scale.item() == pytest.approx(1 / 0.07)
    patches.log_scale.data.fill_(9.0)
    assert patches.scale.item() == 100


def test_fine_logits_are_cosines_at_a_quarter_of_the_patch() -> None:
    patches = _make()
    with torch.no_grad():
        logits = patches.compute_fine_logits(draw_image(64, 96), draw_classes())
    assert logits.shape == (1, 5, 16, 24) and float(logits.abs().max()) <= patches.scale.item()


def test_shifts_that_do_not_divide_the_patch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"patches.shifts is 3, expected a divisor of 16, the patch size of ViT-B-16"):
        check_shifts_fit(AlignedPatchesConfig(shifts=3), ClipConfig(model="ViT-B-16", weights="random"))
