"""CLIP as the teacher: dense features, tokens of a middle block, and the class token of the images of a batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core.types import Batch
from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.images import Normalize
from methods.blocks.padding import crop_to_image, get_valid_size, group_indices


class TeacherFeatures(NamedTuple):
    """What CLIP says of N pixels of B images.

    Attributes:
        dense: (N, D) embeddings, not normalized.
        middle: (N, C) tokens after the middle block.
        class_tokens: (B, D) embeddings of the images.
    """

    dense: Tensor
    middle: Tensor
    class_tokens: Tensor


class DenseTeacher(nn.Module):
    """The frozen image encoder of CLIP, read at pixels.

    Args:
        encoder: CLIP's image encoder, of at least two blocks.
        attention: Attention of the last block for the dense features.
        tail: What follows it.
    """

    def __init__(self, encoder: ClipImageEncoder, *, attention: Attention, tail: Tail) -> None:
        super().__init__()
        self.encoder, self.attention, self.tail = encoder, attention, tail
        self.normalize = Normalize(encoder.mean, encoder.std)

    @torch.no_grad()
    def forward(self, batch: Batch, image: Tensor, uv: Tensor) -> TeacherFeatures:
        """Read features at pixels, interpolated bilinearly between patches.

        Args:
            batch: B samples; their padding is cut off.
            image: (N,) long, index of the image of each pixel, ascending.
            uv: (N, 2) column and row in pixels of that image, within it.
        """
        sizes = [get_valid_size(sample) for sample in batch]
        maps = dict[int, tuple[Tensor, Tensor, Tensor]]()
        for indices in group_indices(sizes).values():
            images = torch.stack([crop_to_image(batch[index]) for index in indices])
            maps.update(zip(indices, zip(*self.encode(images), strict=True), strict=True))
        counts = torch.bincount(image, minlength=len(batch)).tolist()
        dense, middle = list[Tensor](), list[Tensor]()
        for index, positions in enumerate(uv.split(counts)):
            grid = 2 * positions / uv.new_tensor(sizes[index][::-1]) - 1  # (n, 2) in -1 to 1
            dense.append(_read_map(maps[index][0], grid))
            middle.append(_read_map(maps[index][1], grid))
        class_tokens = torch.stack([maps[index][2] for index in range(len(batch))])
        return TeacherFeatures(torch.cat(dense), torch.cat(middle), class_tokens)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode images.

        Args:
            images: (B, 3, H, W), RGB in 0-255; resized so that patches fit.

        Returns:
            Dense embeddings (B, D, h, w), tokens after the middle block (B, C, h, w), and class tokens (B, D).
        """
        patch, encoder = self.encoder.patch_size, self.encoder
        size = [max(1, round(side / patch)) * patch for side in images.shape[2:]]
        if size != list(images.shape[2:]):
            images = F.interpolate(images, size=size, mode="bilinear", antialias=True)
        tokens, grid = encoder.embed(self.normalize(images))
        half, last = encoder.depth // 2, encoder.depth - 1
        middle = encoder.run_blocks(tokens, start=0, stop=half, grid=grid)
        before = encoder.run_blocks(middle, start=half, stop=last, grid=grid)
        dense = encoder.run_last_blocks(before, start=last, attention=self.attention, tail=self.tail, grid=grid)
        whole = encoder.encode_image(before, start=last, grid=grid)
        dense, middle = (to_map(some[:, encoder.num_prefix :], grid).float() for some in (dense, middle))
        return dense, middle, whole.float()


def _read_map(values: Tensor, grid: Tensor) -> Tensor:
    """Read a map (C, h, w) at positions (n, 2), columns and rows in -1 to 1: (n, C)."""
    read = F.grid_sample(
        values[None], grid[None, None].to(values), mode="bilinear", padding_mode="border", align_corners=False
    )
    return read[0, :, 0].T
