"""ZegCLIP: its number of parameters, its converter and its draws."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from methods.blocks.mask_decoder import MaskDecoderConfig
from methods.blocks.prompted_clip import (
    PromptedClip,
    PromptedClipConfig,
    PromptedSegmenter,
    PromptsConfig,
)
from methods.zegclip import ZegClipHead, convert_official
from tests.methods.cases import in_training, training_batch
from tests.methods.official_prompted import build_zegclip, make_official_weights
from tests.methods.parameter_counts import SELF_ATTENTION, build_vit_b_16, count_trained, count_unused


@pytest.mark.parametrize(("prompts", "expected"), [(10, 13.82), (100, 14.65)])
def test_the_published_number_of_trained_parameters_counts_unused_weights(prompts: int, expected: float) -> None:
    with torch.device("meta"):
        encoder = PromptedClip(build_vit_b_16(), PromptedClipConfig(prompts=PromptsConfig(count=prompts)))
        head = ZegClipHead(512, MaskDecoderConfig())
    without_self_attention = count_trained(encoder, head) + count_unused()
    assert round(without_self_attention / 1e6, 2) == round(expected - 3.15, 2)
    assert round((without_self_attention + 3 * SELF_ATTENTION) / 1e6, 2) == expected


def test_positions_of_larger_crops_are_recognized_as_those_of_clip() -> None:
    weights, method = make_official_weights("zegclip"), build_zegclip()
    name = "backbone.positional_embedding"
    visual = method.encoder.encoder.visual
    visual.positional_embedding.data = weights[name]
    patches = weights[name][1:].T.reshape(1, -1, 4, 4)
    resized = nn.functional.interpolate(patches, size=(6, 6), mode="bilinear")[0].flatten(1).T
    converted = convert_official({**weights, name: torch.cat([weights[name][:1], resized])}, method)
    assert torch.equal(converted["encoder.encoder.visual.positional_embedding"], weights[name])


def test_positions_of_another_clip_are_refused() -> None:
    weights = make_official_weights("zegclip")
    larger = {**weights, "backbone.positional_embedding": torch.zeros(37, 16)}
    with pytest.raises(ValueError, match="its positions differ from those of"):
        convert_official(larger, build_zegclip())


@pytest.mark.parametrize("shape", [(), (0,), (0, 16), (1, 16), (18, 16), (26, 17), (2, 17, 16)])
def test_positions_of_no_square_grid_are_refused(shape: tuple[int, ...]) -> None:
    weights = {**make_official_weights("zegclip"), "backbone.positional_embedding": torch.zeros(shape)}
    with pytest.raises(ValueError, match=r"with this CLIP: its positions are .*, expected 1 \+ n² rows of 16 numbers"):
        convert_official(weights, build_zegclip())


@pytest.mark.parametrize("change", [{"decode_head.extra": torch.zeros(1)}, {"backbone.positional_embedding": None}])
def test_a_wrong_or_partial_file_is_refused_in_one_line(change: dict[str, Tensor | None]) -> None:
    weights = {name: value for name, value in (make_official_weights("zegclip") | change).items() if value is not None}
    with pytest.raises(ValueError, match=r"^the file is not a checkpoint of ZegCLIP: .*$"):
        convert_official(weights, build_zegclip())


def test_losses_of_an_iteration_are_the_same_again_and_those_of_another_differ() -> None:
    method = cast(PromptedSegmenter, in_training("zegclip/ZegCLIP"))
    first, again = (method.losses(training_batch())["loss_focal"] for _ in range(2))
    assert torch.equal(first, again)
    method.step_context = type(method.step_context)(iteration=7, iterations=100)
    assert not torch.equal(first, method.losses(training_batch())["loss_focal"])


def test_the_variant_with_a_trained_clip_trains_its_image_encoder() -> None:
    method = cast(PromptedSegmenter, in_training("zegclip/trained CLIP, cross-entropy, no descriptor"))
    assert all(value.requires_grad for value in method.encoder.encoder.parameters())
