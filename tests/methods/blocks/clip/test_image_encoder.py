"""The image encoder compared with open_clip's own."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.seeding import torch_generator
from methods.blocks.clip import ClipConfig, ClipImageEncoder, load_clip, to_map
from methods.blocks.clip.attention import ATTENTIONS, run_block
from methods.blocks.clip.positions import resize_positions
from methods.blocks.padding import Grid

CLIP = load_clip(ClipConfig(model="toy-ViT-8", weights="random"))


@pytest.fixture(scope="module")
def encoder() -> ClipImageEncoder:
    return ClipImageEncoder(CLIP.visual)


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch_generator("visual", *shape))


def test_the_class_token_equals_encode_image(encoder: ClipImageEncoder) -> None:
    images = _random(2, 3, 64, 64)
    tokens, grid = encoder.embed(images)
    assert grid == encoder.trained_grid
    torch.testing.assert_close(
        encoder.run_last_blocks(tokens, start=0)[:, 0], CLIP.encode_image(images), rtol=0, atol=1e-5
    )


def test_the_class_token_alone_equals_encode_image(encoder: ClipImageEncoder) -> None:
    images = _random(2, 3, 64, 64)
    class_tokens = encoder.encode_class_token(encoder.embed(images)[0])
    torch.testing.assert_close(class_tokens, CLIP.encode_image(images), rtol=0, atol=1e-5)


def test_running_blocks_in_two_steps_equals_one_step(encoder: ClipImageEncoder) -> None:
    tokens = _random(1, 5, encoder.width)
    halfway = encoder.run_blocks(tokens, start=0, stop=2)
    assert torch.equal(encoder.run_last_blocks(halfway, start=2), encoder.run_last_blocks(tokens, start=0))


@pytest.mark.parametrize("start", [0, 2])
def test_attention_and_tail_apply_to_the_very_last_block(encoder: ClipImageEncoder, start: int) -> None:
    tokens = _random(1, 7, encoder.width)
    entering = encoder.run_blocks(tokens, start=start, stop=encoder.depth - 1)
    last = encoder.list_blocks()[-1]
    last_tokens = run_block(last, entering, attend=ATTENTIONS["key-key"], tail="reduced")
    expected = encoder.visual.ln_post(last_tokens) @ encoder.visual.proj
    assert torch.equal(encoder.run_last_blocks(tokens, start=start, attention="key-key", tail="reduced"), expected)


def test_an_attention_may_be_a_function(encoder: ClipImageEncoder) -> None:
    tokens = _random(1, 7, encoder.width)
    by_name = encoder.run_last_blocks(tokens, start=0, attention="query-query")
    assert torch.equal(encoder.run_last_blocks(tokens, start=0, attention=ATTENTIONS["query-query"]), by_name)


def test_positions_of_the_trained_grid_are_unchanged() -> None:
    positions = _random(1 + 6, 4)
    assert resize_positions(positions, trained=(2, 3), grid=(2, 3)) is positions


def test_resized_positions_keep_the_class_row_and_follow_the_map() -> None:
    rows = torch.arange(2.0).repeat_interleave(3)[:, None]  # value = row of a 2 x 3 grid
    resized = resize_positions(torch.cat([torch.full((1, 1), 9.0), rows]), trained=(2, 3), grid=(4, 3))
    assert resized[0].item() == 9
    torch.testing.assert_close(resized[1:].reshape(4, 3)[:, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]))


@pytest.mark.parametrize(("trained", "grid"), [((4, 4), (4, 7)), ((4, 4), (2, 9)), ((3, 5), (6, 4))])
def test_resized_positions_are_weighted_means_of_the_nearest_four(trained: Grid, grid: Grid) -> None:
    positions = _random(1 + trained[0] * trained[1], 3)
    resized = resize_positions(positions, trained=trained, grid=grid)
    known = positions[1:].reshape(*trained, 3).numpy()
    rows, columns = (_interpolation_weights(*sizes) for sizes in zip(trained, grid, strict=True))
    expected = torch.tensor(np.einsum("yh,xw,hwc->yxc", rows, columns, known), dtype=torch.float32)
    torch.testing.assert_close(resized[1:].reshape(*grid, 3), expected, rtol=0, atol=1e-5)
    assert torch.equal(resized[0], positions[0])


def _interpolation_weights(old: int, new: int) -> NDArray[np.float64]:
    """Return weights (new, old) of linear interpolation between pixel centers, constant beyond the ends."""
    centers = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(centers[:, None] - np.arange(old)))


@pytest.mark.parametrize("grid", [(4, 7), (6, 3)])
def test_resized_positions_equal_open_clips_for_a_square_trained_grid(grid: Grid) -> None:
    positions = _random(1 + 16, 3)
    state, model = {"visual.positional_embedding": positions}, SimpleNamespace(visual=SimpleNamespace(grid_size=grid))
    open_clip.model.resize_pos_embed(state, model, interpolation="bilinear", antialias=False)
    resized = resize_positions(positions, trained=(4, 4), grid=grid)
    torch.testing.assert_close(resized, state["visual.positional_embedding"], rtol=0, atol=1e-6)


def test_another_grid_gives_one_token_for_each_patch_in_row_major_order(encoder: ClipImageEncoder) -> None:
    images = _random(1, 3, 16, 48)
    tokens, grid = encoder.embed(images)
    assert (grid, tokens.shape[1]) == ((2, 6), 1 + 12)
    patches = torch.arange(12.0)[None, :, None]
    assert to_map(patches, grid)[0, 0].tolist() == [list(range(6)), list(range(6, 12))]
