"""Attentions of CLIP's last block compared with the formulas of their papers, head by head in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.seeding import torch_generator
from methods.blocks.clip import Attention, ClipConfig, Tail, load_clip
from methods.blocks.clip.attention import ATTENTIONS, attend_from_first, run_block
from methods.blocks.clip.residual_blocks import OpenClipBlock

OWN: Any = load_clip(ClipConfig(model="toy-ViT-8", weights="random")).visual.transformer.resblocks[-1]
BLOCK = OpenClipBlock(OWN)
KINDS: list[Attention] = list(ATTENTIONS)
TAILS: list[Tail] = ["full", "reduced"]
FROM_FIRST_AND_ALL = (attend_from_first, ATTENTIONS["vanilla"])

Array = NDArray[np.float64]


def _random_tokens(*shape: int) -> Tensor:
    return torch.randn(*shape, OWN.attn.embed_dim, generator=torch_generator("attention", *shape))


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_attention_with_each_tail_equals_its_formula(kind: Attention, tail: Tail) -> None:
    tokens = _random_tokens(2, 1 + 6)
    outputs = run_block(BLOCK, tokens, attend=ATTENTIONS[kind], tail=tail)
    attended = np.stack([_attend(kind, OWN.ln_1(image).double().numpy()) for image in tokens])
    expected = torch.tensor(attended, dtype=torch.float32)
    if tail == "full":
        expected = tokens + expected
        expected = expected + OWN.mlp(OWN.ln_2(expected))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-5)


def _attend(kind: Attention, tokens: Array) -> Array:
    """Attend with the formula of one image's tokens (L, C), one head after another."""
    layer = OWN.attn
    width, size = layer.embed_dim, layer.embed_dim // layer.num_heads
    query, key, value = np.split(tokens @ _array(layer.in_proj_weight).T + _array(layer.in_proj_bias), 3, axis=1)
    heads = []
    for start in range(0, width, size):
        q, k, v = (x[:, start : start + size] for x in (query, key, value))
        weights = {
            "vanilla": lambda q, k: _softmax(q @ k.T / size**0.5),
            "value": lambda q, k: np.eye(len(q)),
            "query-query": lambda q, k: _softmax(q @ q.T / size**0.5),
            "key-key": lambda q, k: _softmax(k @ k.T / size**0.5),
            "query-query+key-key": lambda q, k: _softmax(q @ q.T / size**0.5) + _softmax(k @ k.T / size**0.5),
        }[kind](q, k)
        heads.append(weights @ v)
    output: Array = np.concatenate(heads, axis=1) @ _array(layer.out_proj.weight).T + _array(layer.out_proj.bias)
    return output


def _softmax(logits: Array) -> Array:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def _array(tensor: Tensor) -> Array:
    return tensor.detach().double().numpy()


def test_vanilla_with_the_full_tail_is_open_clips_own_block() -> None:
    tokens = _random_tokens(2, 1 + 6)
    outputs = run_block(BLOCK, tokens, attend=ATTENTIONS["vanilla"], tail="full")
    torch.testing.assert_close(outputs, OWN(tokens), rtol=0, atol=1e-6)


def test_attention_from_the_first_token_is_its_row_of_the_attention() -> None:
    tokens = _random_tokens(2, 1 + 6)
    first, expected = (run_block(BLOCK, tokens, attend=attend, tail="full") for attend in FROM_FIRST_AND_ALL)
    assert first.shape == (2, 1, OWN.attn.embed_dim)
    torch.testing.assert_close(first, expected[:, :1], rtol=0, atol=1e-6)


def test_the_value_path_is_the_block_applied_to_every_token_separately() -> None:
    """Attention over a single token is the identity, so open_clip's own block is the reference."""
    tokens = _random_tokens(2, 5)
    alone = OWN(tokens.reshape(10, 1, -1)).reshape(2, 5, -1)
    torch.testing.assert_close(
        run_block(BLOCK, tokens, attend=ATTENTIONS["value"], tail="full"), alone, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("tail", TAILS)
def test_a_token_on_the_value_path_depends_on_no_other_token(tail: Tail) -> None:
    tokens = _random_tokens(1, 5)
    other = tokens.clone()
    other[:, 3] += 1
    changed = _run_value_path(tokens, tail) != _run_value_path(other, tail)
    assert changed.any(dim=2).tolist() == [[False, False, False, True, False]]


def _run_value_path(tokens: Tensor, tail: Tail) -> Tensor:
    return run_block(BLOCK, tokens, attend=ATTENTIONS["value"], tail=tail)
