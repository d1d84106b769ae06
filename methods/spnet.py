"""SPNet: Semantic Projection Network (Xian et al., CVPR 2019).

Idea: a segmentation network predicts class embeddings instead of class logits, so that a new class needs only its
embedding.

Official code: subhc/SPNet (MIT). Differences: class embeddings (CLIP's, whereas the paper concatenates word2vec and
fastText), body (the one that all methods of this benchmark share) and optimizer (the benchmark's AdamW instead of SGD).
Calibrated stacking (SPNet-C) is the benchmark's gamma sweep.

Class embeddings may come from a file (`class_embeddings={kind: file, file: x.npy}`); no CLIP is loaded then. Two rows
are controls in which every class has the embedding of another class, seen classes among themselves and unseen classes
among themselves. Shuffled during training, the embedding of a seen class is an arbitrary label, and that of an unseen
class is wrong: if the unseen score is no lower, the meaning of the embeddings did not help. Shuffled at evaluation, the
network is asked for each class by the embedding of another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

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
    AnyClipConfig,
    Body,
    BodyConfig,
    ClassEmbeddingsConfig,
    PixelTextConfig,
    PixelTextLoss,
    ShuffleConfig,
    SmpBodyConfig,
    TextBank,
    TextEncoderEmbeddings,
    build_body,
    build_class_embeddings,
    compute_inner_products,
    predict_each,
    shuffle_class_embeddings,
    stack_images,
    stack_labels,
    toy_presets,
)


class SpNetConfig(Config):
    """Body and class embeddings.

    Attributes:
        clip: CLIP whose text encoder provides the class embeddings; not loaded if they come from a file.
        class_embeddings: Source of class embeddings: that text encoder, or a file.
        shuffle: Assignment of the embeddings to wrong classes, as a control; None for the correct assignment.
        body: Trained body.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"words": "class_embeddings"}

    clip: AnyClipConfig = AnyClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    shuffle: ShuffleConfig | None = None
    body: BodyConfig = SmpBodyConfig()

    def check_plan(self, budget: Budget) -> None:
        """Check the body, and CLIP if it is loaded."""
        self.body.check_plan(budget)
        if isinstance(self.class_embeddings, TextEncoderEmbeddings):
            self.clip.check_plan(budget)

    def describe_backbone(self) -> tuple[str, ...]:
        """Return the names of the body, and of CLIP if it is loaded."""
        clip = self.clip.describe_backbone() if isinstance(self.class_embeddings, TextEncoderEmbeddings) else ()
        return (*clip, *self.body.describe_backbone())


class SpNet(Method):
    """Body, linear map to the embedding space, inner product with class embeddings (features not normalized)."""

    def __init__(self, *, body: Body, text: TextBank) -> None:
        super().__init__()
        self.body, self.text = body, text
        self.project = nn.Conv2d(body.channels, text.dimension, kernel_size=1)
        self.pixel_text = PixelTextLoss(PixelTextConfig(focal=0, dice=0))

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the cross-entropy over seen classes on labeled pixels."""
        images = stack_images(batch, stride=self.body.stride)
        logits = self.compute_logits(images)
        labels = stack_labels(batch, size=images.shape[2:], num_classes=logits.shape[1])
        losses: Losses = self.pixel_text(logits, labels)
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Compare the features of each image with the class embeddings."""
        return predict_each(self.compute_logits, batch, stride=self.body.stride)

    def compute_logits(self, images: Tensor) -> Tensor:
        """Compute inner products: images (B, 3, H, W), RGB in 0-255, to (B, K, H/stride, W/stride)."""
        return compute_inner_products(self.project(self.body(images)), self.text())


def build(config: SpNetConfig, split: TrainSplit) -> SpNet:
    """Build the parts that a config describes."""
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split)
    if config.shuffle is not None:
        embeddings = shuffle_class_embeddings(embeddings, split=split, config=config.shuffle)
    return SpNet(body=build_body(config.body), text=TextBank(embeddings))


VARIANTS: dict[str, SpNetConfig] = {
    "SPNet": SpNetConfig(),
    "SPNet, class embeddings shuffled": SpNetConfig(shuffle=ShuffleConfig()),
    "SPNet, class embeddings shuffled at evaluation": SpNetConfig(shuffle=ShuffleConfig(begin="evaluation")),
}

RECIPE = Recipe(
    title="SPNet",
    paper="CVPR 2019",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="SPNet uses CLIP's class embeddings and the body and optimizer of this benchmark.",
        cost="body once",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=1.6e-2, weight_decay=0.0),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=1e-4),
    },
    presets=toy_presets(),
)
