"""The method of the dense CLIP family: windows, refinement, order of names."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from benchmark.core.types import Batch
from benchmark.planning.method_setup import resolve_method
from benchmark.wrappers.sliding_window import SlidingWindow
from methods.blocks.dense_clip.method import DenseClip

MEMBERS = ("maskclip", "sclip", "clearclip", "naclip", "proxyclip", "cliper", "sc_clip", "resclip")
BATCH: Batch = [
    {
        "image": 255 * torch.rand(3, 336, 448, generator=torch.Generator().manual_seed(0)),
        "height": 336,
        "width": 448,
        "file_name": "",
        "image_id": "",
    }
]


def test_one_option_gives_windows_of_224_every_112_at_a_short_side_of_336() -> None:
    setup = resolve_method("sclip", split="toybox", protocol="sclip")
    method = cast(SlidingWindow, setup.build(0).eval())
    assert (setup.protocol.test.short_side, method.side, method.stride) == (336, 224, 112)
    method.set_classes(setup.split.classes)
    with torch.no_grad():
        windows, corner = method.predict(BATCH)[0]["sem_seg"], BATCH[0]["image"][:, :224, :224]
        alone = method.method.predict([{**BATCH[0], "image": corner, "height": 224, "width": 224}])[0]["sem_seg"]
    torch.testing.assert_close(windows[:, :112, :112], alone[:, :112, :112])


@pytest.mark.parametrize("member", MEMBERS)
def test_refined_scores_have_the_size_of_the_image(member: str) -> None:
    setup = resolve_method(member, split="toybox", overrides={"refinement": {"rounds": 2}})
    method = cast(DenseClip, setup.build(0).eval())
    method.set_classes(("grass", "ball", "car"))
    with torch.no_grad():
        assert method.compute_logits(BATCH[0]["image"][None, :, :64, :96]).shape == (1, 3, 64, 96)
