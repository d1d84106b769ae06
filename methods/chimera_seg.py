"""Chimera-Seg: a trained segmentation body with a frozen piece of CLIP as its head (arXiv 2506.22032).

Idea in a sentence: a body's dense features pass through the last, frozen blocks and fixed projection of CLIP's image
encoder (CLIP Semantic Head, CSH), while CLIP's CLS token teaches those features that are most like it (Selective Global
Distillation, SGD) and the class names look at the image before they classify it (Semantic Alignment Module, SAM).

RECONSTRUCTION. Only the paper's abstract was available: the parts and their purpose are the paper's, every formula,
constant and layer below is ours. Known from the abstract: the body is trainable; CSH joins a frozen sub-network and
fixed projection layers of CLIP's visual encoder with lightweight trainable components; SGD distils from the dense
features of high similarity to the CLS token, fewer of them as training goes on; SAM aligns dense features with
embeddings of the frozen text encoder. Where we had to choose, the alternatives are variants of this file:

- body: DeepLabV3 on any encoder, or one of Detectron2's (not a variant; `body.*`).
- CSH: adapter = channel norm + 1x1 convolution; CLIP's positions, resized; class token = a trained linear map of the
  mean feature; last k = 1 block as trained ("vanilla"). Alternatives: k, the value path, trained layers instead.
- start of training: the adapter regresses CLIP's tokens in closed form on `budget.init_images` training images, and so
  does whatever replaces CSH (`benchmark.core.method.Method.initialize`).
- SGD: InfoNCE over the batch and a bank of 24 CLS tokens; cosine fall of the picked share.
- SAM: residual cross-attention from names to pixels, zero at the start.
- loss: cross-entropy + focal + dice over scaled cosines, labelled pixels only; the scale is learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe, Supervision, Traits
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction
from methods.blocks.alignment import NoAlignment, SamConfig, SemanticAlignment
from methods.blocks.bodies.body import AnyBody, AnyBodyConfig, BodyConfig, build_body
from methods.blocks.class_embeddings.sources import TowerWords, WordsConfig, open_words
from methods.blocks.class_embeddings.text_bank import TextBank
from methods.blocks.clip.config import ClipConfig, load_clip
from methods.blocks.clip.image_encoder import ClipImageEncoder, Grid
from methods.blocks.distillation import SelectiveGlobalDistillation, SgdConfig
from methods.blocks.heads import CshConfig, Head, HeadConfig, LinearConfig, MlpConfig, build_head
from methods.blocks.images import Normalize, stack_images, stack_labels, to_predictions
from methods.blocks.losses import PixelTextConfig, PixelTextLoss
from methods.blocks.toy import toy_presets


class ChimeraConfig(Config):
    """The parts of a Chimera-Seg. A part that is None is switched off.

    Attributes:
        clip: the frozen CLIP.
        words: of its text tower, or of a file that must fit it.
        body: the trained body.
        head: CSH, or what replaces it.
        sgd: Selective Global Distillation.
        sam: Semantic Alignment Module.
        loss: pixel-text terms.
        logit_scale: starting value of the learned inverse temperature.
    """

    clip: ClipConfig = ClipConfig()
    words: WordsConfig = TowerWords()
    body: AnyBodyConfig = BodyConfig()
    head: HeadConfig = CshConfig()
    sgd: SgdConfig | None = SgdConfig()
    sam: SamConfig | None = SamConfig()
    loss: PixelTextConfig = PixelTextConfig()
    logit_scale: float = 15.0


class ChimeraSeg(Method):
    """Body, head, alignment; and, in training alone, the teacher."""

    head: Head

    def __init__(
        self,
        *,
        trunk: ClipImageEncoder,
        text: TextBank,
        body: AnyBody,
        head: Head,
        alignment: nn.Module,
        distillation: SelectiveGlobalDistillation | None,
        pixel_text: PixelTextLoss,
        logit_scale: float,
    ) -> None:
        super().__init__()
        self.trunk, self.text, self.body, self.head = trunk, text, body, head
        self.alignment, self.distillation, self.pixel_text = alignment, distillation, pixel_text
        self.normalize = Normalize(trunk.mean, trunk.std)
        self.log_scale = nn.Parameter(torch.tensor(logit_scale).log())

    def set_classes(self, names: Sequence[str]) -> None:
        """Score these classes from now on."""
        self.text.set_classes(names)

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Let the head's trained maps start from CLIP's own tokens."""
        self.head.start_from(self._pairs(batch) for batch in batches)

    def losses(self, batch: Batch) -> Losses:
        """Pixel-text terms on seen labels, and SGD."""
        images = stack_images(batch, stride=self.body.stride)
        dense = self.dense(images)
        scores = self.scores(dense)
        labels = stack_labels(batch, size=images.shape[2:], classes=scores.shape[1])
        losses: Losses = self.pixel_text(scores, labels)
        if self.distillation is not None:
            positions = dense.flatten(2).transpose(1, 2)
            losses["loss_sgd"] = self.distillation(positions, self.teacher_cls(images), step_context=self.step_context)
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Scaled cosines, image by image, so that a prediction does not depend on its neighbours."""
        answers: list[Prediction] = []
        for sample in batch:
            images = stack_images([sample], stride=self.body.stride)
            scores = self.scores(self.dense(images))
            answers += to_predictions(scores, [sample], padded=(images.shape[2], images.shape[3]))
        return answers

    def dense(self, images: Tensor) -> Tensor:
        """Unit vectors in the joint space: (B, 3, H, W) RGB 0-255 to (B, D, H/stride, W/stride)."""
        return F.normalize(self.head(self.body(images)), dim=1)

    def scores(self, dense: Tensor) -> Tensor:
        """Scaled cosines with the class names, (B, D, h, w) to (B, K, h, w)."""
        text = self.alignment(self.text(), dense.flatten(2).transpose(1, 2))
        return self.log_scale.exp() * torch.einsum("bdhw,bkd->bkhw", dense, text)

    @torch.no_grad()
    def teacher_cls(self, images: Tensor) -> Tensor:
        """CLIP's CLS of the same view, unit length: (B, D)."""
        tokens, _ = self._clip_tokens(images)
        return F.normalize(self.trunk.finish(tokens, start=0)[:, 0], dim=1)

    @torch.no_grad()
    def _pairs(self, batch: Batch) -> tuple[Tensor, Tensor, Grid]:
        images = stack_images(batch, stride=max(self.body.stride, self.trunk.patch))
        return self.body(images), *self._clip_tokens(images)

    def _clip_tokens(self, images: Tensor) -> tuple[Tensor, Grid]:
        patch = self.trunk.patch
        height, width = (max(1, round(side / patch)) * patch for side in images.shape[2:])
        if (height, width) != tuple(images.shape[2:]):
            images = F.interpolate(images, size=(height, width), mode="bilinear", antialias=True)
        return self.trunk.embed(self.normalize(images))


def build(config: ChimeraConfig, split: Split) -> ChimeraSeg:
    """Parts from their configs."""
    clip = load_clip(config.clip)
    trunk = ClipImageEncoder(clip.visual)
    words = open_words(config.words, clip=config.clip, split=split, loaded=clip)
    body = build_body(config.body)
    return ChimeraSeg(
        trunk=trunk,
        text=TextBank(words),
        body=body,
        head=build_head(config.head, trunk=trunk, channels=body.channels),
        alignment=SemanticAlignment(config.sam, dimension=trunk.joint) if config.sam else NoAlignment(),
        distillation=SelectiveGlobalDistillation(config.sgd, dimension=trunk.joint) if config.sgd else None,
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
    "CSH value path": ChimeraConfig(head=CshConfig(attention="value")),
    "SGD fixed share": ChimeraConfig(sgd=SgdConfig(keep_start=0.5, keep_end=0.5)),
    "SGD random positions": ChimeraConfig(sgd=SgdConfig(pick="random")),
    "SGD bottom positions": ChimeraConfig(sgd=SgdConfig(pick="bottom")),
    "SGD soft attention": ChimeraConfig(sgd=SgdConfig(pick="soft")),
    "SGD per-feature cosine": ChimeraConfig(sgd=SgdConfig(objective="cosine")),
    "SGD linear schedule": ChimeraConfig(sgd=SgdConfig(schedule="linear")),
    "SGD without bank": ChimeraConfig(sgd=SgdConfig(bank=0)),
    "cross-entropy alone": ChimeraConfig(loss=PixelTextConfig(focal=0, dice=0)),
}

RECIPE = Recipe(
    title="Chimera-Seg",
    paper="arXiv 2506.22032",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="Chimera-Seg and its ablations are our reconstruction from the paper's abstract.",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=2e-3, init_images=256),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=1e-4, init_images=256),
    },
    presets=toy_presets(),
)
