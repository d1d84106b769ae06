"""Patch embeddings that are aligned with texts: CLIP's frozen patch tokens and a trained embedder."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.types import Batch, Prediction
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.config import ClipConfig
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.images import Normalize, predict_each
from methods.blocks.inner_products import compute_inner_products
from methods.blocks.pacl.shifted_passes import run_shifted

LOGIT_SCALE = 1 / 0.07
"""Starting value of the learned inverse temperature: CLIP's."""

MAX_LOGIT_SCALE = 100.0
"""Upper bound of the learned inverse temperature: CLIP's."""


class AlignedPatchesConfig(Config):
    """Input of the embedder, and stride of the prediction.

    Attributes:
        attention: Attention of CLIP's last block: as trained, or the value path of MaskCLIP.
        shifts: Passes over shifted images in each direction in a prediction, a divisor of the patch size. The stride is
            the patch size divided by this number: 4 pixels for a patch of 16 and 4 shifts.
    """

    attention: Literal["vanilla", "value"] = "vanilla"
    shifts: int = Field(default=4, ge=1)


def check_shifts_fit(patches: AlignedPatchesConfig, clip: ClipConfig) -> None:
    """Check that the shifts divide the patches of a CLIP.

    Raises:
        ValueError: They do not.
    """
    patch = read_architecture(clip.model).patch_size
    if patch % patches.shifts:
        raise ValueError(
            f"patches.shifts is {patches.shifts}, expected a divisor of {patch}, the patch size of {clip.model}"
        )


class VisionEmbedder(nn.Module):
    """PACL's vision embedder (arXiv 2212.04994): e(f) = W_a f + W_c GELU(W_b f), with biases.

    Args:
        width: Length C of a token.
        dimension: Length D of an embedding.
    """

    def __init__(self, width: int, dimension: int) -> None:
        super().__init__()
        self.direct = nn.Linear(width, dimension)
        self.hidden = nn.Linear(width, dimension)
        self.output = nn.Linear(dimension, dimension)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed tokens (..., C): (..., D), not normalized."""
        embedded: Tensor = self.direct(tokens) + self.output(F.gelu(self.hidden(tokens)))
        return embedded


class AlignedPatches(nn.Module):
    """A frozen CLIP, a trained embedder of its patch tokens, and a learned temperature.

    Args:
        encoder: CLIP's image encoder.
        config: Input of the embedder, and stride of the prediction.
    """

    def __init__(self, encoder: ClipImageEncoder, config: AlignedPatchesConfig) -> None:
        super().__init__()
        self.encoder, self.attention, self.shifts = encoder, config.attention, config.shifts
        self.normalize = Normalize(encoder.mean, encoder.std)
        self.embedder = VisionEmbedder(encoder.width, encoder.embed_dim)
        self.log_scale = nn.Parameter(torch.tensor(LOGIT_SCALE).log())

    @property
    def scale(self) -> Tensor:
        """Inverse temperature, ()."""
        return self.log_scale.exp().clamp(max=MAX_LOGIT_SCALE)

    def forward(self, images: Tensor) -> Tensor:
        """Embed patches: images (B, 3, H, W), RGB in 0-255, to (B, D, H/patch, W/patch), not normalized."""
        tokens, grid = self.encoder.embed(self.normalize(images))
        tokens = self.encoder.run_to_norm(tokens, start=0, attention=self.attention, grid=grid)
        return to_map(self.embedder(tokens[:, self.encoder.num_prefix :]), grid)

    def compute_logits(self, images: Tensor, text: Tensor) -> Tensor:
        """Compute scaled cosines in one pass.

        Args:
            images: (B, 3, H, W), RGB in 0-255, H and W multiples of the patch size.
            text: (K, D) unit vectors.

        Returns:
            (B, K, H/patch, W/patch).
        """
        return self.scale * compute_inner_products(F.normalize(self(images).float(), dim=1), text)

    def predict(self, batch: Batch, text: Tensor) -> list[Prediction]:
        """Predict scaled cosines of samples with class embeddings (K, D), at the stride of `compute_fine_logits`."""
        patch = self.encoder.patch_size
        return predict_each(lambda images: self.compute_fine_logits(images, text), batch, stride=patch)

    def compute_fine_logits(self, images: Tensor, text: Tensor) -> Tensor:
        """Compute scaled cosines in shifted passes; as `compute_logits`, but (B, K, H/stride, W/stride)."""
        return run_shifted(
            lambda shifted: self.compute_logits(shifted, text),
            images,
            patch=self.encoder.patch_size,
            shifts=self.shifts,
        )
