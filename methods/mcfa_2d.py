"""MCFA-2D adaptation: the losses of CLIP for point clouds (arXiv 2312.07221) for a student of images.

AN ADAPTATION, NOT A REPRODUCTION. The paper trains a 3D encoder on point clouds; nothing in it segments images. Here a
segmentation body takes the place of the 3D encoder and every pixel of a lattice is a point that it shows itself, so
that the projection is the identity. The four losses are those of `methods/clip_points.py`, with the same weights; this
file exists so that they can be compared with other methods on any dataset of images.

Supervision: masks of seen classes, and the names of unseen classes for pseudo labels.

RECONSTRUCTION: losses, weights and threshold are ours, as in `methods/clip_points.py`. Middle level: features of the
body, before the 1x1 convolution to CLIP's embedding space.

Cost: the body alone in prediction. A training step runs CLIP once for each image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    Body,
    BodyConfig,
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    SmpBodyConfig,
    TextBank,
    TextEncoderEmbeddings,
    build_body,
    build_class_embeddings,
    calibrate_batch_norms,
    check_embeddings_fit,
    compute_inner_products,
    get_valid_size,
    load_clip,
    predict_each,
    stack_images,
    stack_labels,
    toy_presets,
)
from methods.blocks.mcfa import (
    TOY_MCFA,
    FeatureAlignment,
    McfaConfig,
    StudentFeatures,
    build_feature_alignment,
    make_lattice,
    read_lattice,
)


class Mcfa2dConfig(Config):
    """Settings of the adaptation.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        body: Trained body, the student.
        mcfa: Weights of the losses.
        lattice: Distance in pixels of the pixels that training compares.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    body: BodyConfig = SmpBodyConfig()
    mcfa: McfaConfig = McfaConfig()
    lattice: int = Field(default=4, ge=1)

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that class embeddings fit CLIP."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)


class Mcfa2d(Method):
    """Body, map to the embedding space and class embeddings; during training also CLIP.

    Args:
        body: Segmentation body.
        alignment: Losses, with CLIP's image encoder.
        text: Class embeddings.
        lattice: Distance in pixels of the pixels that training compares.
    """

    def __init__(self, *, body: Body, alignment: FeatureAlignment, text: TextBank, lattice: int) -> None:
        super().__init__()
        self.body, self.alignment, self.text, self.lattice = body, alignment, text, lattice
        self.project = nn.Conv2d(body.channels, text.dimension, kernel_size=1)

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Calibrate the body's batch norms."""
        with calibrate_batch_norms(self.body):
            for batch in batches:
                self.body(stack_images(batch, stride=self.body.stride))

    def losses(self, batch: Batch) -> Losses:
        """Compute the losses of the pixels of a lattice."""
        images = stack_images(batch, stride=self.body.stride)
        features = self.body(images)
        labels = stack_labels(batch, size=images.shape[2:], num_classes=len(self.text()))
        student = StudentFeatures(
            read_lattice(self.project(features), images.shape[2:], step=self.lattice),
            read_lattice(features, images.shape[2:], step=self.lattice),
        )
        pixels = make_lattice(labels, [get_valid_size(sample) for sample in batch], step=self.lattice)
        losses: Losses = self.alignment(student, pixels, batch, text=self.text())
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Compare the features of each image with the class embeddings."""
        return predict_each(self.compute_logits, batch, stride=self.body.stride)

    def compute_logits(self, images: Tensor) -> Tensor:
        """Compute scaled cosines: images (B, 3, H, W), RGB in 0-255, to (B, K, H/stride, W/stride)."""
        dense = F.normalize(self.project(self.body(images)).float(), dim=1)
        return self.alignment.temperature * compute_inner_products(dense, self.text())


def build(config: Mcfa2dConfig, split: TrainSplit) -> Mcfa2d:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    body = build_body(config.body)
    return Mcfa2d(
        body=body,
        alignment=build_feature_alignment(
            config.mcfa,
            encoder=ClipImageEncoder(clip.visual),
            embeddings=embeddings,
            unseen=split.unseen,
            channels=body.channels,
        ),
        text=TextBank(embeddings),
        lattice=config.lattice,
    )


VARIANTS: dict[str, Mcfa2dConfig] = {
    "MCFA-2D adaptation": Mcfa2dConfig(),
    "no pseudo labels": Mcfa2dConfig(mcfa=McfaConfig(pseudo_labels=0)),
    "no local alignment": Mcfa2dConfig(mcfa=McfaConfig(local_alignment=0)),
    "no global alignment": Mcfa2dConfig(mcfa=McfaConfig(global_alignment=0)),
    "seen only": Mcfa2dConfig(mcfa=McfaConfig(pseudo_labels=0, local_alignment=0, global_alignment=0)),
}

RECIPE = Recipe(
    title="MCFA-2D adaptation",
    paper="arXiv 2312.07221",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS_UNSEEN_NAMES,
        reconstruction="MCFA-2D is our adaptation of a method for point clouds to images, and reproduces no paper.",
        cost="body once",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=4e-3, init_images=256),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=1e-4, init_images=256),
    },
    presets=toy_presets(settings={**TOY_MCFA, "lattice": 2}),
)
