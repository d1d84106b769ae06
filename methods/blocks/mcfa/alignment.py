"""The losses of MCFA for a student of points or of pixels (a reconstruction of arXiv 2312.07221).

    L = w_sup L_sup + w_pse L_pse + w_loc L_loc + w_glb L_glb

L_sup is the cross-entropy of labeled points. L_pse is that of pseudo labels over all classes: CLIP's likeliest unseen
class of each unlabeled visible point. With pseudo labels, L_sup is over all classes, too: over the seen ones alone,
nothing would keep labeled points from the unseen classes that L_pse pulls all points to. L_loc is 1 - cos to CLIP's
features at the pixel of each visible point, for the output and for a middle level, which a linear map takes to the
width of CLIP; the mean of both. L_glb is 1 - cos between the mean output of an image and CLIP's class token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.types import Batch, Losses
from methods.blocks.class_embeddings.text_bank import ClassEmbeddings, TextBank
from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.loss_weights import check_any_weight
from methods.blocks.mcfa.loss_terms import (
    choose_pseudo_labels,
    compute_cross_entropy,
    compute_global_distance,
    compute_local_distance,
)
from methods.blocks.mcfa.teacher import DenseTeacher, TeacherFeatures


class McfaConfig(Config):
    """Weights of the losses, and what CLIP's features are; a loss of weight 0 is left out.

    Attributes:
        labels: Weight of L_sup.
        pseudo_labels: Weight of L_pse.
        local_alignment: Weight of L_loc.
        global_alignment: Weight of L_glb.
        labels_over: Classes in the softmax of L_sup if there are pseudo labels; the seen ones if there are none.
        threshold: Probability, among unseen classes, above which CLIP's label of a point is a pseudo label.
        attention: Attention of CLIP's last block for its dense features.
        tail: What follows it.
        temperature: Inverse temperature of all cosines, 100 in CLIP.
    """

    labels: float = Field(default=1.0, ge=0)
    pseudo_labels: float = Field(default=1.0, ge=0)
    local_alignment: float = Field(default=0.5, ge=0)
    global_alignment: float = Field(default=0.5, ge=0)
    labels_over: Literal["all", "seen"] = "all"
    threshold: float = Field(default=0.5, ge=0, lt=1)
    attention: Attention = "value"
    tail: Tail = "full"
    temperature: float = Field(default=100.0, gt=0)

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        check_any_weight(self, "labels", "pseudo_labels", "local_alignment", "global_alignment")
        return self

    @property
    def has_teacher(self) -> bool:
        """Whether a loss needs CLIP's image encoder."""
        return max(self.pseudo_labels, self.local_alignment, self.global_alignment) > 0


class StudentFeatures(NamedTuple):
    """Features of N points.

    Attributes:
        output: f, (N, D), not normalized.
        middle: (N, C) of a middle level.
    """

    output: Tensor
    middle: Tensor


class LabeledPixels(NamedTuple):
    """Pixels of N points.

    Attributes:
        image: (N,) long, index of the image of each point, ascending.
        uv: (N, 2) column and row in pixels of that image.
        is_valid: (N,) bool, whether the pixel shows the point.
        labels: (N,) long index of a seen class, or another number without a label.
    """

    image: Tensor
    uv: Tensor
    is_valid: Tensor
    labels: Tensor


class FeatureAlignment(nn.Module):
    """Losses of a student.

    Args:
        teacher: CLIP's image encoder.
        config: Weights.
        unseen: Embeddings of unseen classes; None without pseudo labels.
        channels: Length C of the student's features of a middle level.
    """

    def __init__(self, teacher: DenseTeacher, config: McfaConfig, *, unseen: TextBank | None, channels: int) -> None:
        super().__init__()
        self.teacher, self.unseen, self.config = teacher, unseen, config
        self.widen = nn.Linear(channels, teacher.encoder.width) if config.local_alignment > 0 else None

    def forward(self, student: StudentFeatures, pixels: LabeledPixels, batch: Batch, *, text: Tensor) -> Losses:
        """Compute the weighted losses.

        Args:
            student: Features of N points.
            pixels: Pixels of these points.
            batch: B samples.
            text: Embeddings of the seen classes, (K, D) unit vectors.
        """
        config, output = self.config, F.normalize(student.output.float(), dim=1)
        labels = torch.where((pixels.labels >= 0) & (pixels.labels < len(text)), pixels.labels, -1)
        losses: Losses = {}
        if config.labels > 0:
            classes = text if self.unseen is None or config.labels_over == "seen" else torch.cat([text, self.unseen()])
            losses["loss_sup"] = config.labels * compute_cross_entropy(self.compare(output, classes), labels)
        if not config.has_teacher:
            return losses
        is_valid = pixels.is_valid
        shown = self.teacher(batch, pixels.image[is_valid], pixels.uv[is_valid])
        if self.unseen is not None:
            logits = self.compare(output[is_valid], torch.cat([text, self.unseen()]))
            losses["loss_pse"] = config.pseudo_labels * self._compute_pseudo_loss(logits, shown, labels[is_valid])
        if self.widen is not None:
            at_output = compute_local_distance(output[is_valid], shown.dense)
            at_middle = compute_local_distance(self.widen(student.middle[is_valid]), shown.middle)
            losses["loss_loc"] = config.local_alignment * (at_output + at_middle) / 2
        if config.global_alignment > 0:
            distance = compute_global_distance(output[is_valid], pixels.image[is_valid], shown.class_tokens)
            losses["loss_glb"] = config.global_alignment * distance
        return losses

    @property
    def temperature(self) -> float:
        """Inverse temperature of all cosines."""
        return self.config.temperature

    def compare(self, features: Tensor, text: Tensor) -> Tensor:
        """Compute scaled cosines of unit vectors (N, D) and (K, D) in float32: (N, K)."""
        with torch.autocast(features.device.type, enabled=False):
            return self.config.temperature * features.float() @ text.float().T

    def _compute_pseudo_loss(self, logits: Tensor, shown: TeacherFeatures, labels: Tensor) -> Tensor:
        """Compute L_pse of visible points.

        Args:
            logits: (N, K + U) scaled cosines with seen and unseen classes.
            shown: CLIP's features of the points.
            labels: (N,) index of a seen class, or -1.
        """
        assert self.unseen is not None
        unseen = self.unseen()
        chosen = choose_pseudo_labels(
            self.compare(F.normalize(shown.dense, dim=1), unseen),
            is_candidate=labels < 0,
            threshold=self.config.threshold,
        )
        num_seen = logits.shape[1] - len(unseen)
        return compute_cross_entropy(logits, torch.where(chosen >= 0, chosen + num_seen, -1))


def build_feature_alignment(
    config: McfaConfig,
    *,
    encoder: ClipImageEncoder,
    embeddings: ClassEmbeddings,
    unseen: Sequence[str],
    channels: int,
) -> FeatureAlignment:
    """Build the losses of a student.

    Args:
        config: Weights, and what CLIP's features are.
        encoder: CLIP's image encoder.
        embeddings: Source of class embeddings.
        unseen: Names of the unseen classes.
        channels: Length C of the student's features of a middle level.
    """
    teacher = DenseTeacher(encoder, attention=config.attention, tail=config.tail)
    bank = TextBank(embeddings)
    if unseen and config.pseudo_labels > 0:
        bank.set_classes(unseen)
        return FeatureAlignment(teacher, config, unseen=bank, channels=channels)
    return FeatureAlignment(teacher, config, unseen=None, channels=channels)
