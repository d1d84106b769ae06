"""OTSeg: its texts and paths, and its converter."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from methods.blocks.prompted_clip import PromptedSegmenter
from methods.otseg import TEMPLATES, convert_official
from tests.methods.cases import in_training, training_batch
from tests.methods.official_prompted import build_otseg, make_official_weights


def test_a_partial_file_is_refused_in_one_line() -> None:
    weights = make_official_weights("otseg")
    del weights["decode_head.q_proj.weight"], weights["decode_head.q_proj.bias"]
    with pytest.raises(ValueError, match=r"^the file is not a checkpoint of OTSeg: nothing is named decode_head.*$"):
        convert_official(weights, build_otseg())


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
