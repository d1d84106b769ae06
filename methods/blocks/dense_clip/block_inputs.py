"""CLIP's blocks before the last one: their tokens and, where a method asks for it, how they attend.

The attention of a block is written out only if it is asked for: otherwise the fused kernel computes the same tokens
without it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from torch import Tensor

from methods.blocks.clip.attention import attend_as_trained, compute_weights, merge_heads, project_heads, run_block
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.clip.residual_blocks import ResidualBlock
from methods.blocks.padding import Grid


def iterate_blocks(encoder: ClipImageEncoder, tokens: Tensor, *, grid: Grid) -> Iterator[tuple[Tensor, Tensor]]:
    """Run all blocks but the last, one at a time.

    Args:
        encoder: CLIP's image encoder.
        tokens: (B, L, C) that enter the first block, see `ClipImageEncoder.enter`.
        grid: Grid of the patches.

    Yields:
        Attention (B, H, L, L) of each block, and the tokens (B, L, C) after it.
    """
    for block in encoder.list_blocks(grid)[:-1]:
        weights, tokens = _run_visibly(block, tokens)
        yield weights, tokens


def collect_outputs(encoder: ClipImageEncoder, tokens: Tensor, *, grid: Grid) -> list[Tensor]:
    """Run all blocks but the last and keep what each gives.

    Args:
        encoder: CLIP's image encoder of N blocks.
        tokens: (B, L, C) before the first block.
        grid: Grid of the patches.

    Returns:
        Tokens (B, L, C) after each of the N - 1 blocks.
    """
    outputs, tokens = [], encoder.enter(tokens)
    for block in encoder.list_blocks(grid)[:-1]:
        tokens = run_block(block, tokens, attend=attend_as_trained, tail="full")
        outputs.append(tokens)
    return outputs


def average_weights(
    encoder: ClipImageEncoder, tokens: Tensor, *, grid: Grid, blocks: Collection[int]
) -> tuple[Tensor | None, Tensor]:
    """Run all blocks but the last and average the attention of some.

    Args:
        encoder: CLIP's image encoder.
        tokens: (B, L, C) before the first block.
        grid: Grid of the patches.
        blocks: Indices of the blocks whose attention is averaged; empty for none.

    Returns:
        Mean attention (B, H, L, L), None without blocks, and the tokens (B, L, C) before the last block.
    """
    total, tokens = None, encoder.enter(tokens)
    for index, block in enumerate(encoder.list_blocks(grid)[:-1]):
        if index in blocks:
            weights, tokens = _run_visibly(block, tokens)
            total = weights if total is None else total + weights
        else:
            tokens = run_block(block, tokens, attend=attend_as_trained, tail="full")
    return None if total is None else total / len(blocks), tokens


def _run_visibly(block: ResidualBlock, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Run a block as trained: tokens (B, L, C) to its attention (B, H, L, L) and the tokens after it."""
    query, key, value = project_heads(block.attention, block.normalize(tokens))
    weights = compute_weights(query, key)
    return weights, block.finish(tokens, merge_heads(block.attention, weights @ value))
