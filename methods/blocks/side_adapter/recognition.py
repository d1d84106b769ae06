"""Recognition of masks by a frozen CLIP: an embedding of each mask in the space of CLIP's texts.

`BiasedTokens` is SAN's (arXiv 2302.12242, section 3.3; official code MendelXu/SAN e19262d, `RecWithAttnbiasHead`).

Letters of shapes: S supervised layers of the side network, Q queries, P tokens before the N = h·w patches of CLIP.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.clip.attention import attend_as_trained, run_block
from methods.blocks.clip.attention_layers import AttentionLayer
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.clip.residual_blocks import ResidualBlock
from methods.blocks.mlp import Mlp
from methods.blocks.padding import Grid
from methods.blocks.resizing import resize_maps
from methods.blocks.side_adapter.config import (
    BiasedTokensConfig,
    RecognitionConfig,
    SideAdapterConfig,
    find_block,
)
from methods.blocks.side_adapter.network import MLP_LAYERS, Proposals


class Recognition(nn.Module, ABC):
    """An embedding of each mask.

    Attributes:
        start: First block of CLIP whose input the recognition needs.
    """

    start: int

    @abstractmethod
    def forward(
        self, encoder: ClipImageEncoder, tokens: Tensor, *, grid: Grid, proposals: Sequence[Proposals]
    ) -> list[Tensor]:
        """Embed masks.

        Args:
            encoder: CLIP's image encoder.
            tokens: CLIP's tokens before block `start`, (B, P + N, C).
            grid: Grid of the patches.
            proposals: Masks of S layers.

        Returns:
            S embeddings (B, Q, D), not normalized.
        """


class BiasHead(nn.Module):
    """Attention biases of each query at each patch of the side network, for each head of CLIP's attention.

    Args:
        config: Sizes of the side network.
        heads: Number A of heads; None if the biases are the masks, scaled and shifted, the same for all heads.
    """

    def __init__(self, config: SideAdapterConfig, *, heads: int | None) -> None:
        super().__init__()
        self.channels, self.mlp = config.channels, None
        if heads is not None:
            self.mlp = Mlp(config.width, config.channels, config.channels * heads, layers=MLP_LAYERS)
        self.scale = nn.Linear(1, 1)

    def forward(self, proposals: Proposals) -> Tensor:
        """Compute biases (B, A, Q, h, w), with 1 for A if they are the masks."""
        maps = proposals.masks[:, None]
        if self.mlp is not None:
            patches = self.mlp(proposals.patches).unflatten(2, (-1, self.channels))  # (B, N, A, E)
            maps = torch.einsum("bqe,bnae->baqn", proposals.queries, patches)
            maps = maps.unflatten(3, proposals.masks.shape[2:])
        biases: Tensor = self.scale(maps[..., None])[..., 0]
        return biases


class BiasedTokens(Recognition):
    """Copies of the class token, which attend to the patches with the biases of a query.

    A copy starts as the class token, and attends to itself and to the patches, but not to the class token or another
    copy. Nothing else attends to copies, so the tokens of the image are those of CLIP without them. A copy without
    biases is the class token. The official code masks with -100, which leaves a weight of about 1e-43, instead of
    leaving tokens out.

    Args:
        biases: Head of the biases.
        start: First block that the copies pass.
    """

    def __init__(self, biases: BiasHead, *, start: int) -> None:
        super().__init__()
        self.biases, self.start = biases, start

    def forward(
        self, encoder: ClipImageEncoder, tokens: Tensor, *, grid: Grid, proposals: Sequence[Proposals]
    ) -> list[Tensor]:
        """Embed masks by their copies of the class token; see `Recognition`."""
        biases = torch.cat([pool_by_maximum(self.biases(some), grid) for some in proposals], dim=2)
        return list(embed_copies(encoder, tokens, biases, grid=grid, start=self.start).chunk(len(proposals), dim=1))


class MaskPoolingRecognition(Recognition):
    """The average of CLIP's dense embeddings under each mask.

    Args:
        depth: Number of CLIP's blocks.
    """

    def __init__(self, *, depth: int) -> None:
        super().__init__()
        self.start = depth - 1

    def forward(
        self, encoder: ClipImageEncoder, tokens: Tensor, *, grid: Grid, proposals: Sequence[Proposals]
    ) -> list[Tensor]:
        """Average the embeddings of the patches under the masks; see `Recognition`."""
        tokens = run_block(encoder.list_blocks(grid)[-1], tokens, attend=attend_as_trained, tail="full")
        dense = encoder.project(tokens[:, encoder.num_prefix :])  # (B, N, D)
        return [_pool(dense, resize_maps(some.masks, grid).float().sigmoid().flatten(2)) for some in proposals]


def embed_copies(encoder: ClipImageEncoder, tokens: Tensor, biases: Tensor, *, grid: Grid, start: int) -> Tensor:
    """Embed copies of the class token that attend to patches with biases.

    Args:
        encoder: CLIP's image encoder.
        tokens: (B, P + N, C) before block `start`.
        biases: (B, A, M, h, w) added to the attention logits of M copies, A heads or 1 for the same in all.
        grid: Grid (h, w) of the patches.
        start: First block that the copies pass.

    Returns:
        (B, M, D), not normalized.
    """
    biases = F.pad(biases.flatten(3), (encoder.num_prefix - 1, 0))  # (B, A, M, P - 1 + N), without the class token
    copies = tokens[:, :1].expand(-1, biases.shape[2], -1)
    *blocks, last = encoder.list_blocks(grid)[start:]
    for block in blocks:
        together = run_with_copies(block, torch.cat([copies, tokens], dim=1), biases)
        copies, tokens = together.split([copies.shape[1], tokens.shape[1]], dim=1)
    return encoder.project(run_with_copies(last, torch.cat([copies, tokens], dim=1), biases, copies_only=True))


def run_with_copies(block: ResidualBlock, tokens: Tensor, biases: Tensor, *, copies_only: bool = False) -> Tensor:
    """Run a block of CLIP on copies of the class token and the tokens of the image.

    Args:
        block: Block of an image encoder.
        tokens: (B, M + P + N, C), M copies first.
        biases: (B, A, M, P - 1 + N) of the copies, or with 1 for A.
        copies_only: Whether the copies alone are computed.

    Returns:
        (B, M + P + N, C), or (B, M, C) of the copies.
    """
    attended = _attend_with_copies(block.attention, block.normalize(tokens), biases, copies_only=copies_only)
    return block.finish(tokens[:, : attended.shape[1]], attended)


def _attend_with_copies(layer: AttentionLayer, tokens: Tensor, biases: Tensor, *, copies_only: bool) -> Tensor:
    """Attend from copies to themselves and the image, and in the image as trained; shapes as in `run_with_copies`."""
    count = biases.shape[2]
    queries, keys, values = layer.project(tokens)  # (B, A, M + P + N, d) each
    others, own = slice(count + 1, None), slice(count)
    scaled = queries[:, :, own] * queries.shape[3] ** -0.5
    to_others = scaled @ keys[:, :, others].transpose(2, 3) + biases  # (B, A, M, P - 1 + N)
    to_itself = (scaled * keys[:, :, own]).sum(dim=3, keepdim=True)  # (B, A, M, 1)
    weights = torch.cat([to_others, to_itself], dim=3).softmax(dim=3).to(values.dtype)
    attended = weights[..., :-1] @ values[:, :, others] + weights[..., -1:] * values[:, :, own]
    if not copies_only:
        of_image = slice(count, None)
        image = F.scaled_dot_product_attention(queries[:, :, of_image], keys[:, :, of_image], values[:, :, of_image])
        attended = torch.cat([attended, image], dim=2)
    return layer.merge(attended)


def pool_by_maximum(maps: Tensor, size: Grid) -> Tensor:
    """Pool maps (..., H, W) to a size (h, w) by the maximum of each cell, as `F.adaptive_max_pool2d` does.

    Unlike that function, the gradient is deterministic on a GPU.
    """
    for axis, length in ((-2, size[0]), (-1, size[1])):
        old = maps.shape[axis]
        if old != length:
            cells = ((index * old // length, -(-(index + 1) * old // length)) for index in range(length))
            maps = torch.stack([maps.narrow(axis, start, stop - start).amax(axis) for start, stop in cells], dim=axis)
    return maps


def _pool(dense: Tensor, weights: Tensor) -> Tensor:
    """Average embeddings (B, N, D) with positive weights (B, Q, N): (B, Q, D)."""
    shares = weights / weights.sum(dim=2, keepdim=True).clamp_min(1e-6)
    return shares.to(dense.dtype) @ dense


def build_recognition(config: RecognitionConfig, *, side: SideAdapterConfig, encoder: ClipImageEncoder) -> Recognition:
    """Build the recognition that a config describes.

    Args:
        config: Kind of recognition.
        side: Sizes of the side network.
        encoder: CLIP's image encoder.
    """
    if not isinstance(config, BiasedTokensConfig):
        return MaskPoolingRecognition(depth=encoder.depth)
    heads = count_heads(encoder) if config.biases == "own head" else None
    return BiasedTokens(BiasHead(side, heads=heads), start=find_block(config.start, encoder.depth))


def count_heads(encoder: ClipImageEncoder) -> int:
    """Return the number of heads of CLIP's attention."""
    layer = encoder.list_blocks(encoder.trained_grid)[-1].attention
    parameter = next(encoder.parameters())
    (queries,) = layer.project(parameter.new_zeros(1, 1, encoder.width), stop=1)
    return int(queries.shape[1])


def run_to_blocks(encoder: ClipImageEncoder, tokens: Tensor, *, grid: Grid, stops: Sequence[int]) -> dict[int, Tensor]:
    """Run CLIP as trained, and keep the tokens that enter some blocks.

    Args:
        encoder: CLIP's image encoder.
        tokens: (B, P + N, C) of `ClipImageEncoder.embed`.
        grid: Grid of the patches.
        stops: Indices of blocks.

    Returns:
        (B, P + N, C) by index of the block.
    """
    tokens, kept = encoder.enter(tokens), {}
    for index, block in enumerate(encoder.list_blocks(grid)[: max(stops) + 1]):
        if index in stops:
            kept[index] = tokens
        if index < max(stops):
            tokens = run_block(block, tokens, attend=attend_as_trained, tail="full")
    return kept


def get_positions(encoder: ClipImageEncoder) -> nn.Parameter:
    """Return CLIP's positional embedding, of open_clip's own ViT or of timm's."""
    visual = encoder.visual
    positions: nn.Parameter = visual.trunk.pos_embed if hasattr(visual, "trunk") else visual.positional_embedding
    return positions
