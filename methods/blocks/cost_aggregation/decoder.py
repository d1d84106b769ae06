"""Decoder of aggregated costs: stages that double the resolution, guided by features of CLIP's earlier blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.cost_aggregation.config import GROUP, CostDecoderConfig


class GuidanceUpsampling(nn.Module):
    """Patch tokens of a block of CLIP as the guidance of a decoder stage.

    Args:
        width: Channels of a token.
        upsampled: Channels after the learned upsampling.
        guidance: Channels G of the guidance.
        factor: Factor of the upsampling.
    """

    def __init__(self, width: int, *, upsampled: int, guidance: int, factor: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(width, upsampled, kernel_size=factor, stride=factor)
        self.project = nn.Conv2d(upsampled, guidance, kernel_size=3, padding=1)

    def forward(self, patches: Tensor) -> Tensor:
        """Upsample patches (B, width, h, w): (B, G, factor · h, factor · w)."""
        return F.relu(self.project(self.upsample(patches)))


class DecoderStage(nn.Module):
    """Learned upsampling by 2, then two convolutions of the result and its guidance.

    Args:
        channels: Channels of the input.
        width: Channels of the output.
        guidance: Channels G of the guidance; 0 if there is none.
    """

    def __init__(self, channels: int, width: int, *, guidance: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(channels, channels - guidance, kernel_size=2, stride=2)
        self.conv1 = nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(max(1, width // GROUP), width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(max(1, width // GROUP), width)

    def forward(self, maps: Tensor, guidance: Tensor | None) -> Tensor:
        """Upsample maps of B · K classes and convolve them with the guidance of their image.

        Args:
            maps: (B · K, channels, h, w).
            guidance: (B, G, 2 h, 2 w), or None.

        Returns:
            (B · K, width, 2 h, 2 w).
        """
        upsampled = self.upsample(maps)
        channels, weight = upsampled.shape[1], self.conv1.weight
        mixed = F.conv2d(upsampled, weight[:, :channels], padding=1)
        if guidance is not None:  # convolved once for all classes, which equals a convolution of both concatenated
            shared = F.conv2d(guidance, weight[:, channels:], padding=1)
            mixed = (mixed.unflatten(0, (len(guidance), -1)) + shared[:, None]).flatten(0, 1)
        hidden = F.relu(self.norm1(mixed))
        return F.relu(self.norm2(self.conv2(hidden)))


class CostDecoder(nn.Module):
    """Stages from aggregated costs to logits.

    Args:
        config: Widths of the stages and of their guidance.
        channels: Channels C of the aggregated costs.
        width: Channels of CLIP's tokens.

    Attributes:
        factor: Factor between the resolution of the logits and that of the costs.
    """

    def __init__(self, config: CostDecoderConfig, *, channels: int, width: int) -> None:
        super().__init__()
        guidance = config.guidance or (0,) * len(config.widths)
        inputs = (channels, *config.widths[:-1])
        self.factor = 2 ** len(config.widths)
        self.stages = nn.ModuleList(
            DecoderStage(channels_in, channels_out, guidance=extra)
            for channels_in, channels_out, extra in zip(inputs, config.widths, guidance, strict=True)
        )
        self.guidance = nn.ModuleList(
            GuidanceUpsampling(width, upsampled=upsampled, guidance=extra, factor=2 ** (stage + 1))
            for stage, (upsampled, extra) in enumerate(zip(config.upsampled, guidance, strict=True))
            if extra
        )
        self.head = nn.Conv2d(config.widths[-1], 1, kernel_size=3, padding=1)

    def forward(self, maps: Tensor, taps: Sequence[Tensor]) -> Tensor:
        """Decode maps (B, K, h, w, C) with patches of earlier blocks of CLIP.

        Args:
            maps: (B, K, h, w, C).
            taps: One map of patches (B, width, h, w) for each stage; not used without guidance.

        Returns:
            (B, K, factor · h, factor · w) logits.
        """
        decoded = maps.flatten(0, 1).permute(0, 3, 1, 2)
        guidance = [upsample(tap) for upsample, tap in zip(self.guidance, taps, strict=False)]
        for index, stage in enumerate(self.stages):
            decoded = stage(decoded, guidance[index] if guidance else None)
        logits: Tensor = self.head(decoded)[:, 0].unflatten(0, maps.shape[:2])
        return logits
