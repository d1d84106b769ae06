"""Blocks before the last one, with and without their attention."""

from __future__ import annotations

import torch

from methods.blocks.dense_clip.block_inputs import average_weights, collect_outputs, iterate_blocks
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder, draw_image

ENCODER = build_tiny_encoder()
TOKENS, GRID = ENCODER.embed(draw_image(64, 96))
WEIGHTS, OUTPUTS = (list(some) for some in zip(*iterate_blocks(ENCODER, ENCODER.enter(TOKENS), grid=GRID), strict=True))


def test_blocks_give_the_tokens_of_the_encoder() -> None:
    expected = [ENCODER.run_blocks(TOKENS, start=0, stop=stop) for stop in (1, 2, 3)]
    torch.testing.assert_close(OUTPUTS, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(collect_outputs(ENCODER, TOKENS, grid=GRID), expected, rtol=0, atol=1e-5)


def test_rows_of_the_attention_sum_to_one() -> None:
    assert WEIGHTS[0].shape == (1, 2, 25, 25)
    torch.testing.assert_close(WEIGHTS[0].sum(dim=3), torch.ones(1, 2, 25))


def test_the_mean_attention_is_that_of_the_named_blocks() -> None:
    weights, tokens = average_weights(ENCODER, TOKENS, grid=GRID, blocks=(0, 2))
    torch.testing.assert_close(weights, (WEIGHTS[0] + WEIGHTS[2]) / 2, rtol=0, atol=1e-5)
    torch.testing.assert_close(tokens, OUTPUTS[-1], rtol=0, atol=1e-5)


def test_without_blocks_there_is_no_mean() -> None:
    assert average_weights(ENCODER, TOKENS, grid=GRID, blocks=())[0] is None
