"""The tiny DeOP with random weights that the outputs of official code in `official/` were computed with.

CLIP has three blocks of width 128 and patches of 16, trained for 3 x 3 patches; embeddings have 512 dimensions.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor

from methods.blocks.clip import ClipImageEncoder
from methods.blocks.deop import AnchorDecoder, AnchorsConfig, ExtraPositionsConfig, SeveranceConfig, SeveredEncoder
from methods.blocks.deop.official import ANCHOR_RULES, ENCODER_RULES, split_last_attention
from methods.blocks.images import IMAGENET_MEAN, IMAGENET_STD, Normalize
from methods.blocks.official_weights import rename_tensors

OFFICIAL = Path(__file__).parent / "official"
SIZES = [(64, 96), (96, 64)]
NUM_PROPOSALS = 100
DRAWN_WIDE = ("embedding", "learned_position", "query_embedding.weight", "prefix_prompt", "token_embedding.weight")
NOT_DRAWN = ("_signal", "empty_weight")


def read_official(name: str) -> Tensor:
    """Return an output of the official code."""
    with np.load(OFFICIAL / "deop.npz") as arrays:
        return torch.tensor(arrays[name])


@cache
def draw_official_tensors() -> dict[str, Tensor]:
    """Return random tensors by the names of the official checkpoint, those of other methods' parts excepted."""
    shapes = json.loads((OFFICIAL / "names.json").read_text(encoding="utf-8"))
    generator = np.random.RandomState(0)
    names = [name for name in sorted(shapes) if not name.endswith(NOT_DRAWN)]
    return {name: _draw(name, tuple(shapes[name]), generator) for name in names}


def make_own_parts(severance: SeveranceConfig | None) -> dict[str, torch.nn.Module]:
    """Return encoder and anchors with the official tensors, by their names in the method."""
    visual = VisionTransformer(
        image_size=48, patch_size=16, width=128, layers=3, heads=2, mlp_ratio=4.0, output_dim=512, act_layer=QuickGELU
    )
    visual.image_mean, visual.image_std = IMAGENET_MEAN, IMAGENET_STD
    positions = ExtraPositionsConfig(before=(0, 1, 2), grid=4)
    dense = SeveredEncoder(ClipImageEncoder(visual), severance=severance, positions=positions)
    regions = AnchorDecoder(AnchorsConfig(), num_anchors=NUM_PROPOSALS, dimension=512)
    parts = torch.nn.ModuleDict({"dense": dense, "regions": regions}).eval()
    parts.load_state_dict(convert_own_parts(draw_official_tensors()))
    return dict(parts)


def convert_own_parts(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Translate the tensors of encoder and anchors."""
    kept = {name: value for name, value in official.items() if name.startswith(("decoder", "query", "clip_adapter"))}
    others = [(r"clip_adapter\.(prompt|non_object|clip_model\.(?!visual)).*", None)]
    tensors = rename_tensors(kept, [*ENCODER_RULES, *ANCHOR_RULES, *others], source="DeOP's model_final.pth")
    split_last_attention(tensors)
    return tensors


def draw_images(seed: int, *, count: int = 1, size: tuple[int, int]) -> Tensor:
    """Return images (count, 3, H, W), RGB in 0-255."""
    return torch.tensor(np.random.RandomState(seed).randint(0, 256, (count, 3, *size)).astype(np.float32))


def normalize(images: Tensor) -> Tensor:
    """Normalize images as the official code does."""
    normalized: Tensor = Normalize(IMAGENET_MEAN, IMAGENET_STD)(images)
    return normalized


def draw_masks(seed: int, *, count: int = 1, size: tuple[int, int]) -> Tensor:
    """Return smooth logits of the masks of images of a size, (count, 100, H / 4, W / 4)."""
    coarse = torch.tensor(np.random.RandomState(seed).randn(count, NUM_PROPOSALS, 4, 4).astype(np.float32)) * 3 - 2
    return F.interpolate(coarse, size=[side // 4 for side in size], mode="bilinear", align_corners=False)


def draw_labels(seed: int, *, count: int, size: tuple[int, int], ignore: int) -> Tensor:
    """Return labels (count, H, W) of four classes in blocks of 8, some of them unlabeled."""
    shape = (count, *(side // 8 for side in size))
    blocks = np.random.RandomState(seed).randint(0, 5, shape).repeat(8, 1).repeat(8, 2)
    return torch.tensor(np.where(blocks < 4, blocks, ignore))


def _draw(name: str, shape: tuple[int, ...], generator: np.random.RandomState) -> Tensor:
    values = np.asarray(generator.randn(*shape))
    if name.endswith(DRAWN_WIDE):
        values = values / 2
    elif name.endswith("bias"):
        values = values / 10
    elif "norm" in name or "ln_" in name:
        values = 1 + values / 10
    elif name.endswith("proj"):
        values = values / np.sqrt(shape[0])
    else:
        values = values / np.sqrt(np.prod(shape[1:]))
    return torch.tensor(values.astype(np.float32))
