"""Outputs of the official code of ZegCLIP's family on tiny networks, and our methods with the same weights.

Weights come from a generator of NumPy by name and shape, so that a file holds the outputs alone: of two images, and the
losses of a batch in training without dropout.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor

from benchmark.core.types import Batch
from methods import cascade_clip, otseg, zegclip
from methods.blocks.clip import ClipImageEncoder
from methods.blocks.mask_decoder import MaskDecoderConfig
from methods.blocks.prompted_clip import (
    MaskHead,
    PromptedClip,
    PromptedClipConfig,
    PromptedSegmenter,
    PromptsConfig,
    SigmoidConfig,
    Vocabulary,
    build_mask_objective,
)
from methods.cascade_clip import CascadeClipConfig, CascadeClipHead
from methods.otseg import OtSegConfig, OtSegHead
from methods.zegclip import ZegClipHead

FOLDER = Path(__file__).parent / "official"
SEEN = ["0", "1", "3"]
WIDTH, DIMENSION, PROMPTS = 16, 16, 3


class FixedText(Vocabulary):
    """Class embeddings that are given."""

    def __init__(self, embeddings: Tensor) -> None:
        super().__init__()
        self.embeddings, self.indices = embeddings, list(range(len(embeddings)))

    def set_classes(self, names: Sequence[str]) -> None:
        """Choose classes by their numbers."""
        self.indices = [int(name) for name in names]

    def forward(self) -> Tensor:
        """Return the embeddings of the chosen classes."""
        return self.embeddings[self.indices]


@cache
def read_outputs(name: str) -> Mapping[str, Tensor]:
    """Return inputs and outputs of the official code."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file}


def make_official_weights(name: str) -> dict[str, Tensor]:
    """Return the state dict of the official network."""
    random = np.random.RandomState(0)
    shapes = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {key: _draw(key, shape, random) for key, shape in shapes.items()}


def _draw(name: str, shape: list[int], random: np.random.RandomState) -> Tensor:
    values = torch.from_numpy(np.asarray(random.standard_normal(shape), dtype=np.float32))
    scale = (1.0 if name.startswith("decode_head") else 0.3) if len(shape) > 1 else 0.1
    is_norm = name.endswith("weight") and ("norm" in name or "ln_" in name)
    return values * scale + is_norm


def build_image_encoder(depth: int) -> ClipImageEncoder:
    """Return an untrained image encoder with the sizes of the official networks."""
    sizes: dict[str, Any] = {"image_size": 32, "patch_size": 8, "width": WIDTH, "layers": depth, "heads": 2}
    visual: Any = VisionTransformer(**sizes, mlp_ratio=4, output_dim=DIMENSION, act_layer=QuickGELU)
    visual.image_mean, visual.image_std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    return ClipImageEncoder(visual.requires_grad_(False))


def build_zegclip() -> PromptedSegmenter:
    """Return ZegCLIP with random weights."""
    return _build("zegclip", build_image_encoder(3), ZegClipHead(DIMENSION, MaskDecoderConfig()))


def build_cascade_clip(**fields: Any) -> PromptedSegmenter:
    """Return Cascade-CLIP with random weights, with some fields of its config."""
    encoder = build_image_encoder(12)
    return _build("cascade_clip", encoder, CascadeClipHead(encoder, CascadeClipConfig(**fields)), keep=range(5, 12))


def build_otseg() -> PromptedSegmenter:
    """Return OTSeg with random weights."""
    return _build("otseg", build_image_encoder(3), OtSegHead(DIMENSION, OtSegConfig()))


def _build(name: str, encoder: ClipImageEncoder, head: MaskHead, *, keep: Sequence[int] = ()) -> PromptedSegmenter:
    config = PromptedClipConfig(prompts=PromptsConfig(count=PROMPTS))
    return PromptedSegmenter(
        encoder=PromptedClip(encoder, config, keep=keep),
        text=FixedText(read_outputs(name)["text"]),
        head=head,
        objective=build_mask_objective(SigmoidConfig()),
    )


@dataclass(frozen=True)
class OfficialCase:
    """A method whose official code has outputs.

    Attributes:
        name: Name of the method and its files.
        build: Function that builds the tiny method with random weights.
        convert: Converter of its official weights.
        least_deviation: Lower bound of the standard deviation of the official probabilities.
    """

    name: str
    build: Callable[[], PromptedSegmenter]
    convert: Callable[[Mapping[str, Tensor], PromptedSegmenter], Mapping[str, Tensor]]
    least_deviation: float

    def load(self) -> PromptedSegmenter:
        """Load the official weights into a method, every tensor of it."""
        method = self.build()
        method.load_state_dict(self.convert(make_official_weights(self.name), method))
        return method.eval()


OFFICIAL_CASES = (
    OfficialCase("zegclip", build_zegclip, zegclip.convert_official, least_deviation=0.1),
    OfficialCase("cascade_clip", build_cascade_clip, cascade_clip.convert_official, least_deviation=0.1),
    OfficialCase("otseg", build_otseg, otseg.convert_official, least_deviation=0.05),
)


def predict_probabilities(name: str, method: PromptedSegmenter, side: int) -> Tensor:
    """Predict the image of a side, (K, side, side)."""
    image = read_outputs(name)[f"image_{side}"].float()
    batch: Batch = [{"image": image, "height": side, "width": side, "image_id": "", "file_name": ""}]
    with torch.no_grad():
        scores: Tensor = method.predict(batch)[0]["sem_seg"]
    return scores


def compute_losses(name: str, method: PromptedSegmenter) -> list[float]:
    """Compute the losses of two images with seen classes, in evaluation mode and without dropout."""
    outputs = read_outputs(name)
    images = torch.stack([outputs["image_48"], outputs["second_image_48"]]).float()
    method.set_classes(SEEN)
    with torch.no_grad():
        paths = method.compute_paths(images, None)
    labels = outputs["labels_48"].long()
    return [float(loss) for logits in paths.values() for loss in method.objective(logits, labels).values()]
