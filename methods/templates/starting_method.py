"""Starting method: a residual layer on CLIP's frozen patch features, trained with masks of seen classes.

Paper: AUTHORS, TITLE, VENUE, arXiv NUMBER.
Idea: one or two sentences on what is new.
Supervision: masks of seen classes; names of unseen classes are first known at evaluation.
Official code: REPOSITORY at COMMIT. Differences: what is done differently here, and why.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

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
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    Normalize,
    PixelTextConfig,
    PixelTextLoss,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    compute_inner_products,
    load_clip,
    predict_each,
    stack_images,
    stack_labels,
    toy_presets,
)


class StartingConfig(Config):
    """Settings; a variant or `--set` changes any of them, as in `--set window=3`.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file.
        loss: Weights of the losses.
        window: Side of the adapter's convolution.
        scale: Factor on the cosines of features and class embeddings.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    loss: PixelTextConfig = PixelTextConfig()
    window: int = Field(default=1, ge=1)
    scale: float = Field(default=20.0, gt=0)


class StartingMethod(Method):
    """CLIP's frozen patch features, a trained residual convolution, and a cosine classifier."""

    def __init__(self, *, encoder: ClipImageEncoder, text: TextBank, config: StartingConfig) -> None:
        super().__init__()
        self.encoder, self.text, self.scale = encoder, text, config.scale
        self.normalize = Normalize(encoder.mean, encoder.std)
        self.pixel_text = PixelTextLoss(config.loss)
        self.adapter = nn.Conv2d(encoder.embed_dim, encoder.embed_dim, config.window, padding="same")
        nn.init.zeros_(self.adapter.weight)  # training begins with the features of CLIP
        nn.init.zeros_(self.adapter.bias)  # type: ignore[arg-type]

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary: seen classes before training, all classes before evaluation."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the losses of labeled pixels; draw random numbers with self.step_context.generator() only."""
        images = stack_images(batch, stride=self.encoder.patch_size)  # (B, 3, H, W)
        logits = self.compute_logits(images)  # (B, K, h, w)
        labels = stack_labels(batch, size=images.shape[2:], num_classes=logits.shape[1])  # (B, H, W)
        losses: Losses = self.pixel_text(logits, labels)
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Score each image by itself, at the size that its sample requests."""
        return predict_each(self.compute_logits, batch, stride=self.encoder.patch_size)

    def compute_logits(self, images: Tensor) -> Tensor:
        """Compute scaled cosines: images (B, 3, H, W), RGB in 0-255, to (B, K, H/patch, W/patch)."""
        patches = self.encoder.encode_patches(self.normalize(images), attention="value")  # (B, D, h, w)
        dense = F.normalize(patches + self.adapter(patches), dim=1)
        return self.scale * compute_inner_products(dense, self.text())


def build(config: StartingConfig, split: TrainSplit) -> StartingMethod:
    """Build the parts that a config describes; names of unseen classes are not available here."""
    clip = load_clip(config.clip)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    return StartingMethod(encoder=ClipImageEncoder(clip.visual), text=TextBank(embeddings), config=config)


VARIANTS: dict[str, StartingConfig] = {
    "Starting method": StartingConfig(),
    "3x3 window": StartingConfig(window=3),
}

RECIPE = Recipe(
    title="Starting method",
    paper="",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=200, batch_size=16, learning_rate=2e-3),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=1e-4),
    },
    presets=toy_presets(body=False),  # on toybox, the small CLIP that is included
)
