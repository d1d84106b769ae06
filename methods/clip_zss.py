"""CLIP-ZSS, first published as CLIPTeacher: CLIP teaches a segmentation network (arXiv 2310.02296).

Idea: a closed-set segmentation network learns from CLIP in training alone. CLIP's CLS token teaches the image as a
whole (Global Learning Module, GLM). The unlabeled pixels become regions of unknown classes, clusters of CLIP's dense
embeddings, which the network must tell from seen classes and from each other (Pixel Learning Module, PLM). In
prediction there is no image encoder of CLIP, only the network and class embeddings.

Supervision: masks of seen classes. Void pixels count as unknown regions like those of unseen classes.

RECONSTRUCTION. No official code was found, and only the paper's abstract and a summary were available. Theirs: GLM
attends from the CLS token to the dense features, and contrasts the result with CLS tokens of earlier images; regions
come from windows, K-means and merging by cosine; labels override regions; a transformer decoder that attends to the CLS
token turns the mean features of the regions into classifier rows, those of seen regions tied to class embeddings by
binary cross-entropy; logits are inner products with class embeddings beside cosines with the rows; the loss is GLM,
ZegCLIP's focal and dice loss (NEL), cross-entropy and binary cross-entropy, equally weighted. Ours:

- Student: the body that the methods of this benchmark share and a 1x1 convolution.
- GLM: the other images of the batch are negatives, too. Bank of 24 tokens, temperature 0.07.
- Regions: windows of 3, 5 and 7 patches, at most 10 iterations, merging above a cosine of 0.9 from the largest cluster
  on, at least 0.5% of the image, at most 16. CLIP's last block takes the value path. Each step computes new regions.
- Decoder: one layer, self-attention within an image. An attention to one token returns the value of that token whatever
  the query, so that the attention to the CLS token is a linear map here. Gradients reach the rows of unknown regions.
- Scales: 2 of the inner products (1/√D learns too slowly), 10 of the cosines. Logits of regions that an image lacks
  are left out.
- Pixels in neither a label nor a region are ignored by the cross-entropy, and outside every class for NEL.

Cost at full size: clustering takes at most 12% of the operations of a ViT-B/16 on an image of 512 x 512.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

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
    Body,
    BodyConfig,
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    PixelTextConfig,
    PixelTextLoss,
    SelectiveGlobalDistillation,
    SgdConfig,
    SmpBodyConfig,
    TextBank,
    TextEncoderEmbeddings,
    build_body,
    build_class_embeddings,
    calibrate_batch_norms,
    check_embeddings_fit,
    compute_binary_cross_entropy,
    compute_inner_products,
    count_valid_positions,
    load_clip,
    mark_valid_positions,
    predict_each,
    stack_images,
    stack_labels,
    toy_presets,
)
from methods.blocks.class_masks import ClassMaskConfig, ClassMaskLoss
from methods.blocks.region_clustering import (
    RegionConfig,
    Regions,
    RegionTeacher,
    Synthesizer,
    add_regions,
    check_synthesizer_fits,
    mark_unlabeled,
    pool_by_region,
)

GLM = SgdConfig(select="soft", keep_start=1, keep_end=1)
"""The Global Learning Module: attention from the CLS token to all positions, and a bank of 24 tokens."""


class PlmConfig(Config):
    """The Pixel Learning Module.

    Attributes:
        regions: How unlabeled pixels become regions of unknown classes.
        layers: Number of decoder layers.
        heads: Attention heads of a layer, a divisor of the embedding dimension.
        latent_scale: Factor of the cosines with the rows of unknown regions.
        bce: Weight of the binary cross-entropy that ties seen regions to class embeddings; 0 leaves it out.
    """

    regions: RegionConfig = RegionConfig()
    layers: int = Field(default=1, ge=1)
    heads: int = Field(default=8, ge=1)
    latent_scale: float = Field(default=10.0, gt=0)
    bce: float = Field(default=1.0, ge=0)


class ClipZssConfig(Config):
    """Parts of CLIP-ZSS. A part that is None is switched off.

    Attributes:
        clip: Frozen CLIP, the teacher.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        body: Trained body of the student.
        glm: Global Learning Module.
        plm: Pixel Learning Module.
        nel: Focal and dice loss of one mask per class.
        cross_entropy: Weight of the cross-entropy; 0 leaves it out.
        text_scale: Factor of the inner products with class embeddings.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    body: BodyConfig = SmpBodyConfig()
    glm: SgdConfig | None = GLM
    plm: PlmConfig | None = PlmConfig()
    nel: ClassMaskConfig | None = ClassMaskConfig()
    cross_entropy: float = Field(default=1.0, ge=0)
    text_scale: float = Field(default=2.0, gt=0)

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, that class embeddings fit CLIP, and that there is a loss of labeled pixels.

        Raises:
            ValueError: They do not fit, or there is none.
        """
        if self.nel is None and not self.cross_entropy:
            raise ValueError("nel is null and cross_entropy is 0, expected at least one loss of labeled pixels")
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)
        if self.plm is not None:
            check_synthesizer_fits(self.plm.heads, self.clip)


class ClipZss(Method):
    """Student: body and projection; during training also the teacher and the synthesizer.

    Args:
        body: Trained body.
        text: Class embeddings.
        teacher: Frozen CLIP.
        config: Modules, losses and scales.
    """

    def __init__(self, *, body: Body, text: TextBank, teacher: RegionTeacher, config: ClipZssConfig) -> None:
        super().__init__()
        self.body, self.text, self.teacher, self.config = body, text, teacher, config
        dimension = text.dimension
        self.project = nn.Conv2d(body.channels, dimension, kernel_size=1)
        self.glm = SelectiveGlobalDistillation(config.glm, dimension=dimension) if config.glm else None
        self.synthesizer = (
            Synthesizer(dimension, layers=config.plm.layers, heads=config.plm.heads) if config.plm else None
        )
        self.nel = ClassMaskLoss(config.nel) if config.nel else None
        self.pixel_text = PixelTextLoss(PixelTextConfig(cross_entropy=config.cross_entropy, focal=0, dice=0))

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Calibrate the body's batch norms."""
        with calibrate_batch_norms(self.body):
            for batch in batches:
                self.body(stack_images(batch, stride=self.body.stride))

    def losses(self, batch: Batch) -> Losses:
        """Compute GLM, and the losses of seen classes and unknown regions."""
        images = stack_images(batch, stride=self.body.stride)
        dense = self.project(self.body(images)).float()  # (B, D, h, w)
        labels = stack_labels(batch, size=images.shape[2:], num_classes=len(self.text()))
        losses: Losses = {}
        if self.synthesizer is None:
            losses |= self.compare(self.classify(dense), labels)
            class_tokens = self.teacher.encode_class_tokens(batch) if self.glm else None
        else:
            regions = self.teacher(batch, mark_unlabeled(labels, num_classes=len(self.text())))
            losses |= self.learn_pixels(dense, labels, regions)
            class_tokens = regions.class_tokens
        if self.glm is not None and class_tokens is not None:
            grids = count_valid_positions(batch, stride=self.body.stride)
            losses["loss_global"] = self.glm(
                F.normalize(dense.flatten(2).transpose(1, 2), dim=2),
                class_tokens,
                is_valid=mark_valid_positions(grids, (dense.shape[2], dense.shape[3]), device=dense.device),
                step_context=self.step_context,
            )
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Compare the features of each image with the class embeddings."""
        return predict_each(
            lambda images: self.classify(self.project(self.body(images))), batch, stride=self.body.stride
        )

    def classify(self, dense: Tensor) -> Tensor:
        """Compute scaled inner products with class embeddings: (B, D, h, w) to (B, K, h, w)."""
        return self.config.text_scale * compute_inner_products(dense, self.text())

    def learn_pixels(self, dense: Tensor, labels: Tensor, regions: Regions) -> Losses:
        """Compute the losses of PLM.

        Args:
            dense: (B, D, h, w) features of the student.
            labels: (B, H, W) long, seen classes.
            regions: Regions of the unlabeled pixels.
        """
        plm = cast(PlmConfig, self.config.plm)
        num_seen, num_regions = len(self.text()), regions.is_present.shape[1]
        targets = add_regions(labels, regions, num_seen=num_seen)
        centroids, areas = pool_by_region(dense, targets, num_regions=num_seen + num_regions)
        is_present = areas > 0
        with torch.autocast(dense.device.type, enabled=False):
            rows = cast(Synthesizer, self.synthesizer)(centroids, regions.class_tokens, is_present)
        cosines = compute_inner_products(F.normalize(dense, dim=1), F.normalize(rows[:, num_seen:], dim=2))
        is_absent = ~regions.is_present[:, :, None, None]
        latent = (plm.latent_scale * cosines).masked_fill(is_absent, EXCLUDED_LOGIT)
        losses = self.compare(torch.cat([self.classify(dense), latent], dim=1), targets)
        if plm.bce:
            losses["loss_bce"] = plm.bce * tie_to_text(rows[:, :num_seen], self.text(), is_present[:, :num_seen])
        return losses

    def compare(self, logits: Tensor, targets: Tensor) -> Losses:
        """Compute NEL and cross-entropy of logits (B, M, h, w) and targets (B, H, W)."""
        losses: Losses = {} if self.nel is None else self.nel(logits, targets)
        return losses | (self.pixel_text(logits, targets) if self.config.cross_entropy else {})


def tie_to_text(rows: Tensor, text: Tensor, is_present: Tensor) -> Tensor:
    """Compute the binary cross-entropy between the rows of seen regions and class embeddings.

    Args:
        rows: (B, K, D), the row of the region of each seen class.
        text: (K, D) class embeddings.
        is_present: (B, K) bool, regions that the images show.

    Returns:
        (), a mean over present regions and classes; 0 if there is none.
    """
    logits = torch.einsum("bld,cd->blc", rows.float(), text.float())
    is_own = torch.eye(len(text), device=text.device).expand_as(logits)
    terms = compute_binary_cross_entropy(logits, is_own).mean(dim=2)  # (B, K)
    return (terms * is_present).sum() / is_present.sum().clamp_min(1)


def build(config: ClipZssConfig, split: TrainSplit) -> ClipZss:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    return ClipZss(
        body=build_body(config.body),
        text=TextBank(embeddings),
        teacher=RegionTeacher(ClipImageEncoder(clip.visual), config.plm.regions if config.plm else RegionConfig()),
        config=config,
    )


VARIANTS: dict[str, ClipZssConfig] = {
    "CLIP-ZSS": ClipZssConfig(),
    "no GLM": ClipZssConfig(glm=None),
    "no PLM": ClipZssConfig(plm=None),
    "neither": ClipZssConfig(glm=None, plm=None),
    "no BCE": ClipZssConfig(plm=PlmConfig(bce=0)),
    "cross-entropy without NEL": ClipZssConfig(nel=None),
    "clusters not merged": ClipZssConfig(plm=PlmConfig(regions=RegionConfig(merge_above=None))),
    "no bank": ClipZssConfig(glm=GLM.model_copy(update={"bank": 0})),
}

TOY_SETTINGS = {"plm.regions.max_regions": 8, "nel.focal": 10.0}
"""Number of regions for the toy CLIP's 8 x 8 patches, and a focal loss that leaves the other losses some of the clipped
gradient (chosen on `toybox_tune`)."""

RECIPE = Recipe(
    title="CLIP-ZSS",
    paper="arXiv 2310.02296",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="CLIP-ZSS is our reconstruction from the paper's abstract and a summary.",
        cost="body once",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=4e-3, init_images=256),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=1e-4, init_images=256),
    },
    presets=toy_presets(settings=TOY_SETTINGS),
)
