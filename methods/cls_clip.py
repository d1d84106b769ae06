"""ClsCLIP: "[CLS] Token is All You Need for Zero-Shot Semantic Segmentation" (arXiv 2304.06212).

Idea: in a few early blocks of CLIP's frozen image encoder, the class token is replaced by a trained linear map of the
embedding of one class name. The blocks after them spread the name over the patches, and a light decoder separates the
class from everything else.

Supervision: masks of seen classes.

RECONSTRUCTION. No official code was found; the mechanism was read in a summary of the paper, layer choice and training
settings in a later work that builds on it (ESDA). Theirs: both encoders frozen, replacement in blocks 2 to 4 of 12,
two transformer layers and a convolution as decoder, cross-entropy of two channels. Ours:

- Blocks are given in twelfths of the depth, so that a config fits each CLIP. On toybox, blocks 1 and 2 of the toy
  CLIP's three are chosen by the training loss, which falls far more slowly with block 1 alone: patches attend little
  to the class token, and the name hardly reaches them.
- Decoder: norm and linear map to 256 channels (64 on toybox) before its layers, a 3x3 convolution after them.
- Generalized zero-shot scoring: the paper segments one given class, and nothing couples its scores with those of other
  classes. Here the score of a class is its log-odds, foreground minus background, from a pass with its name.
- Absent classes: the class of a training image is drawn from those that it shows, with probability 0.3 from the other
  seen classes; without them, a decoder asked for a class that is not there learns to find it anyway.
- Class embeddings of length 1, lengthened to the root of their dimension before they are projected.
- AdamW with cosine decay (the benchmark's) in place of polynomial decay.

ClsCLIP+ is left out: it crops the proposals of a detector that was trained on the unseen classes.

Cost: the blocks before the replacement run once per image, all others once for each class, CHUNK classes together.
With `prefilter`, only the classes that are likeliest by CLIP's own class token are segmented; the others get one low
score.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
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
    EXCLUDED_LOGIT,
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    Grid,
    PixelTextConfig,
    PixelTextLoss,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    check_class_embedding,
    check_embeddings_fit,
    load_clip,
    predict_each,
    stack_images,
    stack_labels,
    to_map,
    toy_presets,
)
from methods.blocks.conditioned_encoder import ConditionedEncoder, ReplacementConfig

CHUNK = 16
"""Classes that pass through the encoder together."""

TWO_CLASS_IGNORE = 255
"""Label of pixels that `PixelTextLoss` leaves out if there are two classes."""


class DecoderConfig(Config):
    """Sizes of the decoder.

    Attributes:
        channels: Channels C' of its layers.
        layers: Number of transformer layers.
        heads: Attention heads of a layer, a divisor of the channels.
    """

    channels: int = Field(default=256, ge=1)
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)

    def check_plan(self, budget: Budget) -> None:
        """Check that the heads divide the channels.

        Raises:
            ValueError: They do not.
        """
        if self.channels % self.heads:
            raise ValueError(f"decoder.heads is {self.heads}, expected a divisor of decoder.channels, {self.channels}")


class ClsClipConfig(Config):
    """Settings of ClsCLIP.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        replacement: Blocks before which the class token is replaced.
        decoder: Sizes of the decoder.
        absent_share: Probability that the class of a training image is one that the image does not show.
        prefilter: Number of classes that are segmented in an image; None for all.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    replacement: ReplacementConfig = ReplacementConfig()
    decoder: DecoderConfig = DecoderConfig()
    absent_share: float = Field(default=0.3, ge=0, le=1)
    prefilter: int | None = Field(default=None, ge=1)

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, that class embeddings fit CLIP, and that CLIP has a class token."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)
        check_class_embedding(self.clip.model, needed_by="ClsCLIP replaces CLIP's class token by a class name")


class Decoder(nn.Module):
    """Transformer layers on patch tokens, and a convolution to two channels: background and the class.

    Args:
        width: Length C of a patch token.
        config: Sizes.
    """

    def __init__(self, width: int, config: DecoderConfig) -> None:
        super().__init__()
        channels = config.channels
        self.reduce = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, channels))
        layers = (
            nn.TransformerEncoderLayer(
                channels, config.heads, 4 * channels, dropout=0.0, activation=F.gelu, batch_first=True, norm_first=True
            )
            for _ in range(config.layers)
        )
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(channels, 2, kernel_size=3, padding=1)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Decode patch tokens (N, h·w, C) of a grid (h, w): (N, 2, h, w) logits."""
        logits: Tensor = self.head(to_map(self.layers(self.reduce(tokens)), grid))
        return logits


class ClsClip(Method):
    """Conditioned encoder and decoder.

    Args:
        encoder: Frozen CLIP with the trained projections.
        decoder: Trained decoder.
        text: Class embeddings.
        absent_share: Probability that the class of a training image is one that the image does not show.
        prefilter: Number of classes that are segmented in an image; None for all.
    """

    def __init__(
        self,
        *,
        encoder: ConditionedEncoder,
        decoder: Decoder,
        text: TextBank,
        absent_share: float,
        prefilter: int | None,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.text = encoder, decoder, text
        self.absent_share, self.prefilter = absent_share, prefilter
        self.stride = encoder.encoder.patch_size
        self.cross_entropy = PixelTextLoss(PixelTextConfig(focal=0, dice=0))

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the cross-entropy between one seen class of each image and everything else that is labeled."""
        images, classes = stack_images(batch, stride=self.stride), self.text()
        labels = stack_labels(batch, size=images.shape[2:], num_classes=len(classes))
        chosen = self.draw_classes(labels)
        target = (labels == chosen[:, None, None]).long().masked_fill(labels >= len(classes), TWO_CLASS_IGNORE)
        tokens, grid = self.encoder.run_shared(images)
        patches = self.encoder(tokens, classes[chosen], grid=grid)
        losses: Losses = self.cross_entropy(self.decoder(patches, grid), target)
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Compute the log-odds of each class in each image."""
        return predict_each(self.compute_logits, batch, stride=self.stride)

    def draw_classes(self, labels: Tensor) -> Tensor:
        """Draw one class of the vocabulary for each image, from labels (B, H, W): (B,) long."""
        generator, num_classes = self.step_context.generator("class"), len(self.text())
        chosen = []
        for image in labels:
            shown = set(image[image < num_classes].unique().tolist())
            absent = [label for label in range(num_classes) if label not in shown]
            is_absent = float(torch.rand((), generator=generator)) < self.absent_share
            pool = absent if absent and (is_absent or not shown) else sorted(shown)
            chosen.append(pool[int(torch.randint(len(pool), (), generator=generator))])
        return torch.tensor(chosen, device=labels.device)

    def compute_logits(self, images: Tensor) -> Tensor:
        """Compute log-odds: an image (1, 3, H, W), RGB in 0-255, to (1, K, H/patch, W/patch)."""
        tokens, grid = self.encoder.run_shared(images)
        classes = self.text()
        if self.prefilter is None or self.prefilter >= len(classes):
            return self.score(tokens, classes, grid)
        likely = self.encoder.rank(tokens, classes, grid=grid, count=self.prefilter)
        scores = self.score(tokens, classes[likely], grid)
        return scores.new_full((1, len(classes), *grid), EXCLUDED_LOGIT).index_copy(1, likely, scores)

    def score(self, tokens: Tensor, classes: Tensor, grid: Grid) -> Tensor:
        """Compute the log-odds of classes in one image.

        Args:
            tokens: (1, P + h·w, C) of `ConditionedEncoder.run_shared`.
            classes: (K, D) unit vectors.
            grid: (h, w).

        Returns:
            (1, K, h, w).
        """
        logits = [
            self.decoder(self.encoder(tokens.expand(len(part), -1, -1), part, grid=grid), grid)
            for part in classes.split(CHUNK)
        ]
        background, foreground = torch.cat(logits).unbind(1)  # (K, h, w) each
        return (foreground - background)[None]


def build(config: ClsClipConfig, split: TrainSplit) -> ClsClip:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    encoder = ClipImageEncoder(clip.visual)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    return ClsClip(
        encoder=ConditionedEncoder(encoder, config.replacement),
        decoder=Decoder(encoder.width, config.decoder),
        text=TextBank(embeddings),
        absent_share=config.absent_share,
        prefilter=config.prefilter,
    )


VARIANTS: dict[str, ClsClipConfig] = {
    "ClsCLIP": ClsClipConfig(),
    "shared projection": ClsClipConfig(replacement=ReplacementConfig(shared=True)),
    "first blocks": ClsClipConfig(replacement=ReplacementConfig(start=0, stop=3)),
    "last blocks": ClsClipConfig(replacement=ReplacementConfig(start=9, stop=12)),
    "no absent classes": ClsClipConfig(absent_share=0.0),
    "8 likeliest classes": ClsClipConfig(prefilter=8),
}

TOY_SETTINGS = {"decoder.channels": 64, "replacement.start": 4, "replacement.stop": 12, "absent_share": 0.2}
"""Sizes for the toy CLIP, see the docstring of this file, and the share that was chosen on `toybox_tune`."""

RECIPE = Recipe(
    title="ClsCLIP",
    paper="arXiv 2304.06212",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="ClsCLIP is our reconstruction from summaries, with absent classes in training and log-odds as "
        "scores, which make a generalized zero-shot method of it.",
        cost="CLIP once for each class, without its first blocks",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=9e-3, weight_decay=1e-4),
        "*": Budget(iterations=20_000, batch_size=8, learning_rate=5e-5, weight_decay=1e-4),
    },
    presets=toy_presets(body=False, settings=TOY_SETTINGS),
)
