"""CLIP with extra positions and severed blocks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks import ClipImageEncoder, load_clip
from methods.blocks.deop import ExtraPositionsConfig, SeveranceConfig, SeveredEncoder, check_blocks
from methods.blocks.toy import TOY_CLIP_CONFIG

IMAGES = torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
MASKS = torch.randn(2, 5, 8, 12, generator=torch.Generator().manual_seed(1))


def make_encoder(
    severance: SeveranceConfig | None = None, positions: ExtraPositionsConfig | None = None
) -> SeveredEncoder:
    encoder = ClipImageEncoder(load_clip(TOY_CLIP_CONFIG).visual)
    return SeveredEncoder(encoder, severance=severance, positions=positions)


def embed(encoder: SeveredEncoder, masks: Tensor = MASKS) -> Tensor:
    with torch.no_grad():
        result: Tensor = encoder(IMAGES, masks)
    return result


def test_without_severance_and_positions_it_is_clip() -> None:
    encoder = make_encoder()
    tokens, grid = encoder.encoder.embed(IMAGES, interpolation="bicubic")
    expected = F.normalize(encoder.encoder.run_last_blocks(tokens, start=0, grid=grid)[:, 1:], dim=2)
    torch.testing.assert_close(embed(encoder).flatten(2).transpose(1, 2), expected)


def test_severed_values_are_the_value_path() -> None:
    encoder = make_encoder(SeveranceConfig(kind="value"))
    tokens, grid = encoder.encoder.embed(IMAGES, interpolation="bicubic")
    expected = encoder.encoder.run_last_blocks(tokens, start=0, attention="value", grid=grid)[:, 1:]
    torch.testing.assert_close(embed(encoder).flatten(2).transpose(1, 2), F.normalize(expected, dim=2))


def test_the_order_of_the_masks_has_no_influence() -> None:
    encoder = make_encoder(SeveranceConfig())
    torch.testing.assert_close(embed(encoder, MASKS.flip(1)), embed(encoder))
    assert not torch.allclose(embed(encoder, MASKS + 1), embed(encoder))


def test_positions_of_zero_change_nothing_and_others_do() -> None:
    encoder = make_encoder(positions=ExtraPositionsConfig(before=(0, 2), grid=8))
    assert list(encoder.extra_positions) == ["0", "2"]
    for block in ("0", "2"):
        assert not torch.allclose(embed(encoder), embed(make_encoder()), atol=1e-3)
        torch.nn.init.zeros_(encoder.extra_positions[block])
    torch.testing.assert_close(embed(encoder), embed(make_encoder()))


def test_every_position_gets_a_gradient_and_clip_gets_none() -> None:
    encoder = make_encoder(SeveranceConfig(), ExtraPositionsConfig(before=(0, 1, 2), grid=8))
    encoder(IMAGES, MASKS)[:, 0].sum().backward()
    assert all(some.grad is not None and some.grad.abs().sum() > 0 for some in encoder.extra_positions.values())
    assert all(some.grad is None for some in encoder.encoder.parameters())


@pytest.mark.parametrize(
    ("severance", "positions"),
    [(SeveranceConfig(blocks=4), None), (None, ExtraPositionsConfig(before=(0, 3)))],
)
def test_blocks_that_clip_does_not_have_are_refused(
    severance: SeveranceConfig | None, positions: ExtraPositionsConfig | None
) -> None:
    with pytest.raises(ValueError, match="toy-ViT-8 has 3 blocks"):
        check_blocks("toy-ViT-8", severance=severance, positions=positions)
