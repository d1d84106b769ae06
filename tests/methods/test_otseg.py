"""OTSeg beside its official code, and its converter."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from methods.blocks.prompted_clip import (
    PromptedClip,
    PromptedClipConfig,
    PromptedSegmenter,
    PromptsConfig,
    SigmoidConfig,
    build_mask_objective,
)
from methods.otseg import TEMPLATES, OtSegConfig, OtSegHead, convert_official
from tests.methods.cases import in_training, training_batch
from tests.methods.official_prompted import (
    DIMENSION,
    PROMPTS,
    FixedText,
    build_image_encoder,
    compute_losses,
    load_official,
    make_official_weights,
    predict_probabilities,
    read_outputs,
)


def build_tiny() -> PromptedSegmenter:
    config = PromptedClipConfig(prompts=PromptsConfig(count=PROMPTS))
    return PromptedSegmenter(
        encoder=PromptedClip(build_image_encoder(3), config),
        text=FixedText(read_outputs("otseg")["text"]),
        head=OtSegHead(DIMENSION, OtSegConfig()),
        objective=build_mask_objective(SigmoidConfig()),
    )


@pytest.fixture
def method() -> PromptedSegmenter:
    return load_official("otseg", build_tiny(), convert_official)


@pytest.mark.parametrize("side", [32, 48])
def test_probabilities_are_those_of_the_official_code(method: PromptedSegmenter, side: int) -> None:
    expected = read_outputs("otseg")[f"probabilities_{side}"]
    assert expected.std() > 0.05
    torch.testing.assert_close(predict_probabilities("otseg", method, side), expected, rtol=0, atol=1e-5)


def test_losses_of_both_paths_are_those_of_the_official_code(method: PromptedSegmenter) -> None:
    expected = read_outputs("otseg")["losses_48"].flatten().tolist()
    assert compute_losses("otseg", method) == pytest.approx(expected, rel=1e-5)


def test_a_partial_file_is_refused_in_one_line() -> None:
    weights = make_official_weights("otseg")
    del weights["decode_head.q_proj.weight"], weights["decode_head.q_proj.bias"]
    with pytest.raises(ValueError, match=r"^the file is not a checkpoint of OTSeg: nothing is named decode_head.*$"):
        convert_official(weights, build_tiny())


def test_each_class_has_the_texts_of_all_templates() -> None:
    method = cast(PromptedSegmenter, in_training("otseg/OTSeg"))
    method.set_classes(["grass", "car"])
    texts = method.text()
    assert texts.shape[:2] == (2, len(TEMPLATES))
    torch.testing.assert_close(texts.norm(dim=2), torch.ones(2, len(TEMPLATES)))
    assert (texts[:, 0] - texts[:, 1]).abs().max() > 1e-3


def test_both_paths_have_losses() -> None:
    losses = in_training("otseg/OTSeg").losses(training_batch())
    assert set(losses) == {"loss_focal", "loss_dice", "loss_focal_transport", "loss_dice_transport"}
