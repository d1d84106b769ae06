"""Cascade-CLIP: its stages and projections, ZegCLIP as a special case, its number of parameters and converter."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.core.method import Method
from methods.blocks.clip import ClipImageEncoder
from methods.blocks.mask_decoder import MaskDecoderConfig
from methods.blocks.prompted_clip import (
    PromptedClip,
    PromptedClipConfig,
    PromptedFeatures,
    PromptsConfig,
)
from methods.cascade_clip import CascadeClipConfig, CascadeClipHead, convert_official
from methods.zegclip import ZegClipHead
from tests.methods.cases import in_training
from tests.methods.official_prompted import (
    DIMENSION,
    build_cascade_clip,
    build_image_encoder,
    make_official_weights,
    read_outputs,
)
from tests.methods.parameter_counts import SELF_ATTENTION, build_vit_b_16, count_trained, count_unused


@pytest.mark.parametrize(("projection", "expected"), [("random", 40.46), ("trained", 42.83)])
def test_the_published_number_of_trained_parameters_is_that_of_random_projections(
    projection: str, expected: float
) -> None:
    with torch.device("meta"):
        encoder = build_vit_b_16()
        prompted = PromptedClip(encoder, PromptedClipConfig(prompts=PromptsConfig(count=50)))
        head = CascadeClipHead(encoder, CascadeClipConfig.model_validate({"projection": projection}))
    without_self_attention = count_trained(prompted, head) + 3 * count_unused()
    assert (without_self_attention + 9 * SELF_ATTENTION) / 1e6 == pytest.approx(expected, abs=0.005)


def make_features(encoder: ClipImageEncoder) -> tuple[PromptedFeatures, Tensor]:
    """Return features of a prompted encoder and text."""
    images = 255 * torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    return PromptedClip(encoder, PromptedClipConfig())(images), read_outputs("cascade_clip")["text"]


def test_one_stage_of_the_last_block_is_zegclip() -> None:
    encoder = build_image_encoder(3)
    zegclip = ZegClipHead(DIMENSION, MaskDecoderConfig())
    cascade = CascadeClipHead(encoder, CascadeClipConfig(stages=((12,),)))
    cascade.load_state_dict({f"stages.0.{name}": value for name, value in zegclip.state_dict().items()})
    features, text = make_features(encoder)
    torch.testing.assert_close(cascade(features, text, None), zegclip(features, text, None))


def test_weights_of_a_stage_start_at_a_gaussian_of_the_distance_to_its_last_block() -> None:
    head = CascadeClipHead(build_image_encoder(12), CascadeClipConfig(sigma=2))
    weights = head.stages[0].weights
    assert isinstance(weights, Tensor)
    assert weights.tolist() == pytest.approx([0.606531, 0.882497, 1.0], abs=1e-6)
    assert head.stages[2].weights is None


def test_the_projection_of_clip_is_that_of_its_last_block() -> None:
    method = build_cascade_clip(stages=((11,),), projection="CLIP", aggregation="sum")
    encoder, tokens = method.encoder.encoder, torch.randn(1, 4, 16)
    (stage,) = method.head.stages  # type: ignore[misc]
    torch.testing.assert_close(stage.projections["10"](tokens), encoder.project(tokens))


def test_blocks_are_scaled_to_the_depth_of_the_encoder() -> None:
    config = CascadeClipConfig()
    assert config.list_indices(12) == [[5, 6, 7], [8, 9, 10], [11]]
    assert config.list_indices(24) == [[11, 13, 15], [17, 19, 21], [23]]
    assert config.list_indices(3) == [[0, 1], [1], [2]]


def is_saved_and_frozen(method: Method) -> bool:
    names = [name for name in method.state_dict() if name.endswith(".matrix")]
    return bool(names) and not set(names) & {name for name, _ in method.named_parameters()}


def test_random_projections_are_buffers_which_checkpoints_have() -> None:
    assert is_saved_and_frozen(in_training("cascade_clip/Cascade-CLIP"))
    assert not is_saved_and_frozen(in_training("cascade_clip/trained projections"))


def test_a_checkpoint_of_zegclip_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^the file is not a checkpoint of Cascade-CLIP: .*$"):
        convert_official(make_official_weights("zegclip"), build_cascade_clip())


@pytest.mark.parametrize("shape", [(), (0,), (7, 16, 16)])
def test_another_number_of_projections_is_refused_in_one_line(shape: tuple[int, ...]) -> None:
    official = make_official_weights("cascade_clip") | {"backbone.proj_layers": torch.zeros(shape)}
    with pytest.raises(ValueError, match=r"^backbone\.proj_layers is \(.*\), expected 6 matrices$"):
        convert_official(official, build_cascade_clip())
