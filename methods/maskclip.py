"""MaskCLIP: dense labels from a frozen CLIP, without any training (arXiv 2112.01071, ECCV 2022).

Idea: remove the attention of CLIP's last block, so that every patch keeps its own value, and compare each patch with
the class embeddings. Variants keep the attention as trained or let tokens attend by their queries or keys, and stop
after the attention, as later training-free methods do.

Official code: chongzhou96/MaskCLIP (Apache-2.0). Differences: we use CLIP's own pixel statistics, activation and norm
epsilon, and omit prompt denoising and key smoothing, which are off by default in the official code too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from benchmark.api import (
    Batch,
    Budget,
    Config,
    Losses,
    Method,
    Prediction,
    Recipe,
    Supervision,
    TrainSplit,
    Traits,
)
from methods.blocks import (
    Attention,
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    Normalize,
    Tail,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    check_embeddings_fit,
    compute_inner_products,
    load_clip,
    predict_each,
    to_map,
    toy_presets,
)


class MaskClipConfig(Config):
    """CLIP, and the computation of its last block.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        attention: Attention of the last block: "value" for MaskCLIP, "vanilla" for CLIP's unmodified patch tokens, or a
            self-self attention.
        tail: "full" as in the official code, or "reduced" to the output of the attention (as in ClearCLIP).
        temperature: Inverse temperature of the logits.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"words": "class_embeddings"}

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    attention: Attention = "value"
    tail: Tail = "full"
    temperature: float = 100.0

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that class embeddings fit CLIP."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)


class MaskClip(Method):
    """CLIP with another attention in its last block, and a cosine classifier."""

    def __init__(self, *, image_encoder: ClipImageEncoder, text: TextBank, config: MaskClipConfig) -> None:
        super().__init__()
        self.image_encoder, self.text, self.config = image_encoder, text, config
        self.normalize = Normalize(image_encoder.mean, image_encoder.std)

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Return no losses: nothing is trained."""
        return {}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Compare the patches of each image with the class embeddings."""
        return predict_each(self.compute_logits, batch, stride=self.image_encoder.patch_size)

    def compute_logits(self, images: Tensor) -> Tensor:
        """Compute scaled cosines: images (B, 3, H, W), RGB in 0-255, to (B, K, H/patch, W/patch)."""
        tokens, grid = self.image_encoder.embed(self.normalize(images))
        attention, tail = self.config.attention, self.config.tail
        dense = self.image_encoder.run_last_blocks(tokens, start=0, attention=attention, tail=tail)  # (B, 1 + h·w, D)
        unit_vectors = F.normalize(to_map(dense[:, 1:], grid).float(), dim=1)  # (B, D, h, w)
        return self.config.temperature * compute_inner_products(unit_vectors, self.text())


def build(config: MaskClipConfig, split: TrainSplit) -> MaskClip:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    return MaskClip(image_encoder=ClipImageEncoder(clip.visual), text=TextBank(embeddings), config=config)


VARIANTS: dict[str, MaskClipConfig] = {
    "MaskCLIP": MaskClipConfig(),
    "reduced tail": MaskClipConfig(tail="reduced"),
    "CLIP patches as they are": MaskClipConfig(attention="vanilla"),
    "vanilla attention, reduced tail": MaskClipConfig(attention="vanilla", tail="reduced"),
    "query-query attention, reduced tail": MaskClipConfig(attention="query-query", tail="reduced"),
    "key-key attention, reduced tail": MaskClipConfig(attention="key-key", tail="reduced"),
}

RECIPE = Recipe(
    title="MaskCLIP",
    paper="arXiv 2112.01071",
    traits=Traits(supervision=Supervision.NONE, is_deterministic=True),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=0)},
    presets=toy_presets(body=False),
)
