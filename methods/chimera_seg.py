"""Chimera-Seg: a trained segmentation body with a frozen piece of CLIP as its head (arXiv 2506.22032).

Idea: a body's dense features pass through the last, frozen blocks and the fixed projection of CLIP's image encoder
(CLIP Semantic Head, CSH). CLIP's CLS token teaches the features that are most similar to it (Selective Global
Distillation, SGD). The class embeddings attend to the image before they classify it (Semantic Alignment Module, SAM).

RECONSTRUCTION. Only the paper's abstract was available: the parts and their purpose are the paper's; every formula,
constant and layer below is ours. The abstract says: the body is trainable; CSH combines a frozen sub-network and fixed
projection layers of CLIP's visual encoder with lightweight trainable components; SGD distills the dense features with
high similarity to the CLS token, fewer of them as training proceeds; SAM aligns dense features with embeddings of the
frozen text encoder. Alternatives to our choices are variants of this file:

- Body: DeepLabV3 on any encoder, or a body of Detectron2 (no variant; see `body.*`).
- CSH: adapter = channel norm + 1x1 convolution; CLIP's positions, resized; class token = trained linear map of the mean
  feature; last k = 1 block, of which only the attention is run, from queries to queries (ClearCLIP, arXiv 2407.12442).
  Alternatives: other k, the block as CLIP was trained, the value path, other self-self attention, trained layers
  instead, a block that is trained or random; and, as settings of `head.*`, a deeper adapter, other class tokens, no
  positions.
- Initialization: the adapter regresses CLIP's tokens in closed form on `budget.init_images` training images, with the
  batch norms of the body as they are in training (`Method.initialize`). The replacements of CSH start from the same
  dense map of CLIP as CSH.
- Padding of crops is no part of the image for head, SGD, SAM and teacher; in the body it is CLIP's mean color.
- SGD: InfoNCE over the batch and a bank of 24 CLS tokens; cosine decay of the selected share from all to one half.
- SAM: residual cross-attention from classes to pixels, zero at the start. Alternative: the same without projections.
- Loss: cross-entropy + focal + dice over scaled cosines, labeled pixels only; the scale is learned.

The settings of head, SGD and scale were chosen by tuning on `toybox_tune` (results/toybox/tuning.md). Distilling all
positions was better there than any selection; it is a variant ("SGD all positions"), because the paper's SGD selects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

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
    Sample,
    Supervision,
    TrainSplit,
    Traits,
)
from methods.blocks import (
    Alignment,
    AlignmentConfig,
    Body,
    BodyConfig,
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    CshConfig,
    Grid,
    Head,
    HeadConfig,
    LinearConfig,
    MlpConfig,
    Normalize,
    PixelTextConfig,
    PixelTextLoss,
    PrototypeConfig,
    SamConfig,
    SelectiveGlobalDistillation,
    SgdConfig,
    SmpBodyConfig,
    TextBank,
    TextEncoderEmbeddings,
    build_alignment,
    build_body,
    build_class_embeddings,
    build_head,
    calibrate_batch_norms,
    check_alignment_fits,
    check_class_embedding,
    check_embeddings_fit,
    check_head_fits,
    compute_inner_products,
    count_valid_positions,
    crop_to_image,
    encode_without_padding,
    get_valid_size,
    group_indices,
    load_clip,
    map_without_padding,
    mark_valid_positions,
    stack_images,
    stack_labels,
    to_predictions,
    toy_presets,
)


class ChimeraConfig(Config):
    """Parts of a Chimera-Seg. A part that is None is switched off.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        body: Trained body.
        head: CSH or its replacement.
        sgd: Selective Global Distillation.
        sam: Semantic Alignment Module, or its alternative.
        loss: Weights of the pixel-text losses.
        logit_scale: Starting value of the learned inverse temperature.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"words": "class_embeddings"}

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    body: BodyConfig = SmpBodyConfig()
    head: HeadConfig = CshConfig()
    sgd: SgdConfig | None = SgdConfig()
    sam: AlignmentConfig | None = SamConfig()
    loss: PixelTextConfig = PixelTextConfig()
    logit_scale: float = Field(default=15.0, gt=0)

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, that class embeddings, head and alignment fit CLIP, and that losses have what they need."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)
        check_head_fits(self.head, self.clip)
        check_alignment_fits(self.sam, self.clip)
        if self.sgd is None:
            self.loss.check_has_a_term()
        else:
            advice = "SGD distills CLIP's class token (sgd=null switches it off)"
            check_class_embedding(self.clip.model, needed_by=advice)


class ChimeraSeg(Method):
    """Body, head and alignment; during training also the teacher."""

    head: Head

    def __init__(
        self,
        *,
        image_encoder: ClipImageEncoder,
        text: TextBank,
        body: Body,
        head: Head,
        alignment: Alignment,
        distillation: SelectiveGlobalDistillation | None,
        pixel_text: PixelTextLoss,
        logit_scale: float,
    ) -> None:
        super().__init__()
        self.image_encoder, self.text, self.body, self.head = image_encoder, text, body, head
        self.alignment, self.distillation, self.pixel_text = alignment, distillation, pixel_text
        self.normalize = Normalize(image_encoder.mean, image_encoder.std)
        self.log_scale = nn.Parameter(torch.tensor(logit_scale).log())

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Calibrate the body's batch norms, and initialize the head's trained maps from CLIP's tokens."""
        with calibrate_batch_norms(self.body):
            self.head.start_from(pair for batch in batches for pair in self.extract_pairs(batch))

    def losses(self, batch: Batch) -> Losses:
        """Compute the pixel-text losses on seen labels, and SGD."""
        dense, is_valid = self.embed(batch)
        logits = self.classify(dense, is_valid)
        size = [side * self.body.stride for side in dense.shape[2:]]
        losses: Losses = self.pixel_text(logits, stack_labels(batch, size=size, num_classes=logits.shape[1]))
        if self.distillation is not None:
            losses["loss_sgd"] = self.distillation(
                dense.flatten(2).transpose(1, 2),  # (B, N, D)
                encode_without_padding(self.encode_cls, batch),
                is_valid=is_valid,
                step_context=self.step_context,
            )
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Classify the dense embeddings of each image."""
        return [self._predict(sample) for sample in batch]

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Compute dense unit vectors (B, D, h, w), and which positions are valid, (B, h·w) bool or None for all."""
        features = self.body(stack_images(batch, stride=self.body.stride))
        grids = count_valid_positions(batch, stride=self.body.stride)
        dense = F.normalize(map_without_padding(self.head, features, grids).float(), dim=1)
        size = (dense.shape[2], dense.shape[3])
        return dense, mark_valid_positions(grids, size, device=dense.device)

    def classify(self, dense: Tensor, is_valid: Tensor | None) -> Tensor:
        """Compute scaled cosines with the aligned class embeddings: (B, D, h, w) to (B, K, h, w)."""
        text = self.alignment(self.text(), dense.flatten(2).transpose(1, 2), is_valid)
        return self.log_scale.exp() * compute_inner_products(dense, text)

    @torch.no_grad()
    def encode_cls(self, images: Tensor) -> Tensor:
        """Compute CLIP's CLS tokens of images (B, 3, H, W), RGB in 0-255: (B, D) unit vectors."""
        tokens, grid = self.compute_clip_tokens(images)
        return F.normalize(self.image_encoder.encode_class_token(tokens, grid=grid).float(), dim=1)

    def compute_clip_tokens(self, images: Tensor) -> tuple[Tensor, Grid]:
        """Compute CLIP's tokens before the first block, (B, P + h·w, width), and their grid (h, w)."""
        patch = self.image_encoder.patch_size
        height, width = (max(1, round(side / patch)) * patch for side in images.shape[2:])
        if (height, width) != tuple(images.shape[2:]):
            images = F.interpolate(images, size=(height, width), mode="bilinear", antialias=True)
        return self.image_encoder.embed(self.normalize(images))

    @torch.no_grad()
    def extract_pairs(self, batch: Batch) -> Iterator[tuple[Tensor, Tensor, Grid]]:
        """Yield features and CLIP's tokens of the images of one size, without padding; see `Head.start_from`."""
        features = self.body(stack_images(batch, stride=self.body.stride))
        grids = count_valid_positions(batch, stride=self.body.stride)
        for indices in group_indices(get_valid_size(sample) for sample in batch).values():
            height, width = grids[indices[0]]
            images = torch.stack([crop_to_image(batch[index]) for index in indices])
            yield features[indices, :, :height, :width], *self.compute_clip_tokens(images)

    def _predict(self, sample: Sample) -> Prediction:
        """Predict one image."""
        dense, is_valid = self.embed([sample])
        padded = [side * self.body.stride for side in dense.shape[2:]]
        return to_predictions(self.classify(dense, is_valid), [sample], padded=padded)[0]


def build(config: ChimeraConfig, split: TrainSplit) -> ChimeraSeg:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    image_encoder = ClipImageEncoder(clip.visual)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    body = build_body(config.body)
    dimension = image_encoder.embed_dim
    return ChimeraSeg(
        image_encoder=image_encoder,
        text=TextBank(embeddings),
        body=body,
        head=build_head(config.head, image_encoder=image_encoder, channels=body.channels),
        alignment=build_alignment(config.sam, dimension=dimension),
        distillation=SelectiveGlobalDistillation(config.sgd, dimension=dimension) if config.sgd else None,
        pixel_text=PixelTextLoss(config.loss),
        logit_scale=config.logit_scale,
    )


VARIANTS: dict[str, ChimeraConfig] = {
    "Chimera-Seg": ChimeraConfig(),
    "no CSH": ChimeraConfig(head=LinearConfig()),
    "no SGD": ChimeraConfig(sgd=None),
    "no SAM": ChimeraConfig(sam=None),
    "full-CLIP head": ChimeraConfig(head=CshConfig(blocks=None)),
    "no CSH, two-layer MLP": ChimeraConfig(head=MlpConfig()),
    "CSH k=2": ChimeraConfig(head=CshConfig(blocks=2)),
    "CSH k=3": ChimeraConfig(head=CshConfig(blocks=3)),
    "CSH vanilla attention": ChimeraConfig(head=CshConfig(attention="vanilla", tail="full")),
    "CSH value path": ChimeraConfig(head=CshConfig(attention="value", tail="full")),
    "CSH key-key attention": ChimeraConfig(head=CshConfig(attention="key-key")),
    "CSH trained block": ChimeraConfig(head=CshConfig(block_weights="CLIP, trained")),
    "CSH random block": ChimeraConfig(head=CshConfig(block_weights="random")),
    "CSH trained random block": ChimeraConfig(head=CshConfig(block_weights="random, trained")),
    "no CSH, value-path start": ChimeraConfig(head=LinearConfig(start="value", start_tail="full")),
    "no CSH, two-layer MLP, value-path start": ChimeraConfig(head=MlpConfig(start="value", start_tail="full")),
    "SGD all positions": ChimeraConfig(sgd=SgdConfig(keep_start=1, keep_end=1)),
    "SGD fixed share": ChimeraConfig(sgd=SgdConfig(keep_start=0.75, keep_end=0.75)),
    "SGD random positions": ChimeraConfig(sgd=SgdConfig(select="random")),
    "SGD bottom positions": ChimeraConfig(sgd=SgdConfig(select="bottom")),
    "SGD soft attention": ChimeraConfig(sgd=SgdConfig(select="soft")),
    "SGD per-feature cosine": ChimeraConfig(sgd=SgdConfig(objective="cosine")),
    "SGD linear schedule": ChimeraConfig(sgd=SgdConfig(schedule="linear")),
    "SGD without bank": ChimeraConfig(sgd=SgdConfig(bank=0)),
    "SAM without projections": ChimeraConfig(sam=PrototypeConfig()),
    "cross-entropy alone": ChimeraConfig(loss=PixelTextConfig(focal=0, dice=0)),
}

RECIPE = Recipe(
    title="Chimera-Seg",
    paper="arXiv 2506.22032",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="Chimera-Seg and its ablations are our reconstruction from the paper's abstract.",
        cost="body once, last block of CLIP once",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=4e-3, init_images=256),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=1e-4, init_images=256),
    },
    presets=toy_presets(),
)
