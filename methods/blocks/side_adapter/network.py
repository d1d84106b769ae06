"""Side adapter network: a small ViT beside a frozen CLIP that proposes masks (SAN, arXiv 2302.12242, section 3.2).

Q queries and the patches of the image are the tokens of one ViT. CLIP's tokens are added to its patches. Official code:
MendelXu/SAN e19262d (MIT), `san/model/side_adapter`.

Letters of shapes: C tokens of CLIP, C' of the side network, E embeddings of masks, N = h·w patches of a grid (h, w).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.clip.image_encoder import to_map
from methods.blocks.clip.positions import resize_positions
from methods.blocks.mlp import Mlp
from methods.blocks.padding import Grid
from methods.blocks.resizing import resize_maps
from methods.blocks.side_adapter.config import SideAdapterConfig, find_block

NORM_EPSILON = 1e-6
MLP_RATIO = 4
MLP_LAYERS = 3
STANDARD_DEVIATION = 0.02
"""Standard deviation of queries, positions and the weights of layers at the start."""


@dataclass(frozen=True, eq=False)
class Proposals:
    """Masks that a layer of the side network proposes, and the vectors that they are computed from.

    Attributes:
        queries: (B, Q, E) embeddings of the masks.
        patches: (B, N, C') tokens of the patches.
        masks: (B, Q, h, w) logits.
    """

    queries: Tensor
    patches: Tensor
    masks: Tensor


class Fusion(nn.Module):
    """Norm and linear map of CLIP's patch tokens to the width of the side network.

    Args:
        clip_width: Length C of CLIP's tokens.
        width: Length C' of the side network's tokens.
    """

    def __init__(self, clip_width: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(clip_width, eps=NORM_EPSILON)
        self.project = nn.Linear(clip_width, width)
        nn.init.kaiming_uniform_(self.project.weight, a=1)
        nn.init.zeros_(self.project.bias)

    def forward(self, tokens: Tensor, grid: Grid, *, size: Grid) -> Tensor:
        """Map CLIP's patches (B, h·w, C) of a grid to the patches of another size: (B, H·W, C'), bilinear."""
        maps = to_map(self.project(self.norm(tokens)), grid)
        return resize_maps(maps, size).flatten(2).transpose(1, 2)


class SideAdapter(nn.Module):
    """The side network.

    Args:
        config: Sizes, and the tokens that the network takes from CLIP.
        clip_width: Length C of CLIP's tokens.
        clip_depth: Number of CLIP's blocks.

    Attributes:
        patch: Side of the patches in pixels.
        blocks_of_layers: Block of CLIP whose input is added to the input of a side layer, by layer.
    """

    def __init__(self, config: SideAdapterConfig, *, clip_width: int, clip_depth: int) -> None:
        super().__init__()
        self.patch, self.supervised = config.patch, config.supervised
        self.grid = (config.image_size // config.patch, config.image_size // config.patch)
        self.blocks_of_layers = {layer: find_block(block, clip_depth) for block, layer in config.fusion}
        self.embed = nn.Conv2d(3, config.width, kernel_size=config.patch, stride=config.patch)
        self.positions = _make_vectors(self.grid[0] * self.grid[1], config.width)
        self.queries = _make_vectors(config.queries, config.width)
        self.query_positions = _make_vectors(config.queries, config.width)
        self.fusions = nn.ModuleDict({str(layer): Fusion(clip_width, config.width) for layer in self.blocks_of_layers})
        self.layers = nn.ModuleList(_make_layer(config) for _ in range(config.depth))
        self.query_mlp = Mlp(config.width, config.channels, config.channels, layers=MLP_LAYERS)
        self.pixel_mlp = Mlp(config.width, config.channels, config.channels, layers=MLP_LAYERS)

    def forward(self, images: Tensor, clip_patches: Mapping[int, Tensor], clip_grid: Grid) -> list[Proposals]:
        """Propose masks.

        Args:
            images: (B, 3, H, W) normalized, H and W multiples of the patch.
            clip_patches: CLIP's patch tokens (B, n, C) that enter a block, by block, for `blocks_of_layers`.
            clip_grid: Grid of CLIP's patches.

        Returns:
            Proposals of the supervised layers in training, else of the last layer alone.
        """
        supervised = self.supervised if self.training else 1
        tokens, grid = self._run(images, clip_patches, clip_grid)
        return [self._propose(some, grid) for some in tokens[-supervised:]]

    def _run(
        self, images: Tensor, clip_patches: Mapping[int, Tensor], clip_grid: Grid
    ) -> tuple[Sequence[Tensor], Grid]:
        """Run all layers; return the tokens (B, Q + N, C') after each of them, and the grid of the patches."""
        maps = self.embed(images)  # (B, C', h, w)
        grid = (maps.shape[2], maps.shape[3])
        patches = resize_positions(self.positions, trained=self.grid, grid=grid, interpolation="bicubic", num_prefix=0)
        positions = torch.cat([self.query_positions, patches])  # (Q + N, C')
        queries = self.queries.expand(len(images), -1, -1)
        tokens = torch.cat([queries, maps.flatten(2).transpose(1, 2)], dim=1)
        outputs: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            tokens = tokens + positions
            if index in self.blocks_of_layers:
                fused = self.fusions[str(index)](clip_patches[self.blocks_of_layers[index]], clip_grid, size=grid)
                tokens = tokens + F.pad(fused, (0, 0, len(self.queries), 0))
            tokens = layer(tokens)
            outputs.append(tokens)
        return outputs, grid

    def _propose(self, tokens: Tensor, grid: Grid) -> Proposals:
        """Compute the masks of tokens (B, Q + N, C') of a grid."""
        queries, patches = tokens.split([len(self.queries), grid[0] * grid[1]], dim=1)
        embedded, pixels = self.query_mlp(queries), self.pixel_mlp(patches)
        masks = torch.einsum("bqe,bne->bqn", embedded, pixels)
        return Proposals(queries=embedded, patches=patches, masks=masks.unflatten(2, grid))


def _make_vectors(count: int, width: int) -> nn.Parameter:
    """Draw learned vectors (count, width)."""
    vectors = nn.Parameter(torch.empty(count, width))
    nn.init.trunc_normal_(vectors, std=STANDARD_DEVIATION)
    return vectors


def _make_layer(config: SideAdapterConfig) -> nn.TransformerEncoderLayer:
    """Make a layer of a ViT: norms before attention and MLP, GELU."""
    layer = nn.TransformerEncoderLayer(
        config.width,
        config.heads,
        MLP_RATIO * config.width,
        dropout=0.0,
        activation=F.gelu,
        layer_norm_eps=NORM_EPSILON,
        batch_first=True,
        norm_first=True,
    )
    for linear in (layer.self_attn.out_proj, layer.linear1, layer.linear2):
        nn.init.trunc_normal_(linear.weight, std=STANDARD_DEVIATION)
        nn.init.zeros_(linear.bias)
    nn.init.trunc_normal_(layer.self_attn.in_proj_weight, std=STANDARD_DEVIATION)
    return layer
