"""The dense CLIP family compared with outputs of the official code on a tiny CLIP with random weights.

The cosines in `official/` were computed by the repositories that the method files name, beside this project.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core.types import Sample
from benchmark.wrappers.sliding_window import SlidingWindow
from methods.blocks.class_embeddings import TextBank
from methods.blocks.dense_clip.attention_source import ProxyAttention
from methods.blocks.dense_clip.block_inputs import iterate_blocks
from methods.blocks.dense_clip.build import build_scores
from methods.blocks.dense_clip.config import DenseClipConfig, SelfCalibrationConfig
from methods.blocks.dense_clip.early_fusion import iterate_fused
from methods.blocks.dense_clip.fine_scores import match_peaks, spread_scores
from methods.blocks.dense_clip.method import DenseClip
from methods.blocks.dense_clip.scores import LastBlockScores
from methods.blocks.refinement import refine_by_color
from methods.clearclip import VARIANTS as CLEARCLIP
from methods.cliper import VARIANTS as CLIPER
from methods.maskclip import VARIANTS as MASKCLIP
from methods.naclip import VARIANTS as NACLIP
from methods.resclip import VARIANTS as RESCLIP
from methods.sclip import VARIANTS as SCLIP
from tests.methods.blocks.dense_clip.tiny_clip import OFFICIAL, build_tiny_encoder, draw_classes, draw_image

SIZES = [(64, 96), (112, 80)]
CASES = [
    ("maskclip", "MaskCLIP", MASKCLIP["MaskCLIP"]),
    ("sclip", "SCLIP", SCLIP["SCLIP"]),
    ("sclip", "vanilla", DenseClipConfig()),
    ("clearclip", "ClearCLIP", CLEARCLIP["ClearCLIP"]),
    ("clearclip", "full tail", CLEARCLIP["full tail"]),
    ("clearclip", "vanilla attention", CLEARCLIP["vanilla attention"]),
    ("naclip", "NACLIP", NACLIP["NACLIP"]),
    ("naclip", "neighborhood only", NACLIP["neighborhood only"]),
    ("naclip", "no neighborhood", NACLIP["no neighborhood"]),
    ("naclip", "full tail", NACLIP["full tail"]),
]
"""File of official outputs, variant, and its config."""


def read_official(file: str, name: str) -> Tensor:
    with np.load(OFFICIAL / f"{file}.npz") as arrays:
        return torch.tensor(arrays[name])


def score(config: DenseClipConfig, *, height: int, width: int, layers: int = 4) -> Tensor:
    """Return the scores of five classes at the patches of an image, (5, h, w)."""
    scores = build_scores(config, build_tiny_encoder(layers=layers))
    result: Tensor = scores(draw_image(height, width), draw_classes())[0]
    return result


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("file", "variant", "config"), CASES)
def test_cosines_are_those_of_the_official_code(
    file: str, variant: str, config: DenseClipConfig, size: tuple[int, int]
) -> None:
    height, width = size
    expected = read_official(file, f"{height}x{width}/{variant}")
    actual = score(config.model_copy(update={"temperature": 1.0}), height=height, width=width)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


class GivenClasses(TextBank):
    """The five classes of the official outputs."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def forward(self) -> Tensor:
        return draw_classes()


class GivenFeatures(nn.Module):
    """Proxy that returns given features."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: Tensor) -> Tensor:
        return self.features


def draw_features(height: int, width: int) -> Tensor:
    """Return the features (1, 24, height, width) that stood for those of DINO."""
    return torch.tensor(np.random.RandomState(3).randn(1, 24, height, width).astype(np.float32))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("case", "factor"), [("ProxyCLIP", 1), ("twice as fine", 2)])
def test_proxyclip_is_the_official_code(case: str, factor: int, size: tuple[int, int]) -> None:
    height, width = size
    expected = read_official("proxyclip", f"{height}x{width}/{case}")
    features = draw_features(factor * height // 16, factor * width // 16)
    scores = LastBlockScores(
        build_tiny_encoder(),
        source=ProxyAttention(GivenFeatures(features), shift=1.2, scale=3.0),
        tail="reduced",
        interpolation="DINO",
        temperature=1.0,
    )
    torch.testing.assert_close(scores(draw_image(height, width), draw_classes())[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_cliper_is_the_official_code(size: tuple[int, int]) -> None:
    height, width = size
    actual = score(CLIPER["CLIPer"], height=height, width=width)
    torch.testing.assert_close(actual, read_official("cliper", f"{height}x{width}/CLIPer"), rtol=0, atol=1e-4)


def test_finer_scores_by_another_model_are_those_of_the_official_code() -> None:
    coarse, fine = (read_official("cliper", f"64x96/{name}")[None] for name in ("coarse", "fine"))
    weights, grid = ProxyAttention(GivenFeatures(draw_features(7, 5)), shift=1.2, scale=3.0).weigh(draw_image(112, 80))
    spread = spread_scores(coarse, weights, grid=grid)
    torch.testing.assert_close(spread, fine, rtol=0, atol=1e-5)
    presence = read_official("cliper", "64x96/presence")
    peaks = match_peaks(spread, coarse)[0].amax(dim=(1, 2))
    torch.testing.assert_close(peaks, presence, rtol=1e-3, atol=1e-4)


def test_each_embedding_of_cliper_sees_one_more_round_of_scaling_as_in_the_official_code() -> None:
    encoder = build_tiny_encoder()
    tokens, grid = encoder.embed(draw_image(64, 96), interpolation="bilinear")
    total = sum(weights for weights, _ in iterate_blocks(encoder, encoder.enter(tokens), grid=grid))
    expected = read_official("cliper", "64x96/fused attention")
    for attention, fused in zip(expected, iterate_fused(torch.as_tensor(total), sinkhorn="code"), strict=False):
        torch.testing.assert_close(fused[0], attention, rtol=0, atol=1e-5)


def test_windows_are_those_of_the_official_code() -> None:
    scores = build_scores(SCLIP["SCLIP"].model_copy(update={"temperature": 1.0}), build_tiny_encoder())
    method = SlidingWindow(DenseClip(scores=scores, text=GivenClasses(), stride=16), side=64, stride=48)
    sample: Sample = {"image": draw_image(64, 96)[0], "height": 64, "width": 96, "file_name": "", "image_id": ""}
    actual = method.predict([sample])[0]["sem_seg"][:, ::4, ::4]
    torch.testing.assert_close(actual, read_official("sclip", "64x96/windows of 64 every 48"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("side", [96, 128])
@pytest.mark.parametrize(
    ("layers", "blocks"),
    [(4, {"before": 2, "after": 0, "levels": (0, 1, 2)}), (12, {})],
)
def test_sc_clip_is_the_official_code_on_squares(layers: int, blocks: dict[str, Any], side: int) -> None:
    config = DenseClipConfig(dense=SelfCalibrationConfig(**blocks), temperature=1.0)
    expected = read_official("sc_clip", f"{side}x{side}/{layers} blocks")
    torch.testing.assert_close(score(config, height=side, width=side, layers=layers), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("variant", RESCLIP)
def test_resclip_is_the_official_code_to_half_precision(variant: str, size: tuple[int, int]) -> None:
    height, width = size
    config = RESCLIP[variant]
    dense = config.dense.model_copy(update={"fallback": 0})
    scores = build_scores(config.model_copy(update={"dense": dense}), build_tiny_encoder(layers=12))
    classes = read_official("resclip", f"{height}x{width}/classes")
    actual = scores(draw_image(height, width), classes)[0] / config.temperature
    torch.testing.assert_close(actual, read_official("resclip", f"{height}x{width}/{variant}"), rtol=0, atol=1e-4)


def test_refinement_by_color_is_the_official_code() -> None:
    cosines = score(SCLIP["SCLIP"].model_copy(update={"temperature": 1.0}), height=64, width=96)
    pixels = F.interpolate(cosines[None], size=(64, 96), mode="bilinear")
    actual = refine_by_color(pixels, draw_image(64, 96), rounds=10, dilations=(8, 16))[0]
    torch.testing.assert_close(actual, read_official("pamr", "64x96/SCLIP"), rtol=0, atol=1e-5)
