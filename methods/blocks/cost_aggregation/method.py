"""CAT-Seg as a method: CLIP, cost aggregator and class embeddings; see `methods/cat_seg.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from benchmark.api import (
    Batch,
    Budget,
    Config,
    Losses,
    Method,
    Prediction,
    Sample,
    TrainSplit,
)
from benchmark.core.lazy_scores import LowResPrediction
from benchmark.core.types import get_ignore_label
from methods.blocks import (
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    Normalize,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    build_tokenizer,
    check_class_embedding,
    check_embeddings_fit,
    load_clip,
    stack_images,
    stack_labels,
    to_map,
)
from methods.blocks.class_embeddings.trained_text_bank import TrainedTextBank, take_text_encoder
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.attention import attend_to_itself
from methods.blocks.clip.config import Clip
from methods.blocks.cost_aggregation import (
    AggregatorConfig,
    CostAggregator,
    CostDecoderConfig,
    FineTuningConfig,
    ViewsConfig,
    fine_tune_image_encoder,
    fine_tune_text_encoder,
    join_views,
    make_views,
)
from methods.blocks.cost_aggregation.official_names import convert_official as convert_official
from methods.blocks.resizing import resize_maps
from methods.blocks.softplus import compute_binary_cross_entropy

Residual = Literal["class token", "own"]
"""Token that the last block adds to the value of a patch: the class token, as in the official code, or its own."""


class CatSegConfig(Config):
    """Parts of CAT-Seg.

    Attributes:
        clip: CLIP of image features and class embeddings.
        class_embeddings: Source of class embeddings: CLIP's text encoder, fine-tuned as the image encoder is, or a file
            that must fit it, whose embeddings are not trained.
        fine_tuning: Tensors of CLIP that are trained; None for a frozen CLIP.
        side: Height and width of the image that CLIP sees, in pixels.
        residual: Residual of CLIP's last block.
        aggregator: Layers on the cost volume.
        decoder: Stages after the aggregator.
        unlabeled: Whether pixels without a label are "negative" examples of all classes, or "ignored".
        views: Views of an image at evaluation; None for the image alone, resized to a square.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    fine_tuning: FineTuningConfig | None = FineTuningConfig()
    side: int = Field(default=384, ge=1)
    residual: Residual = "class token"
    aggregator: AggregatorConfig = AggregatorConfig()
    decoder: CostDecoderConfig = CostDecoderConfig()
    unlabeled: Literal["negative", "ignored"] = "negative"
    views: ViewsConfig | None = ViewsConfig()

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, that class embeddings fit CLIP, and that the grid of CLIP fits image and aggregator."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)
        if self.residual == "class token":
            advice = "CAT-Seg adds CLIP's class token to its patches (residual=own adds none)"
            check_class_embedding(self.clip.model, needed_by=advice)
        patch = read_architecture(self.clip.model).patch_size
        if self.side % patch:
            raise ValueError(f"side={self.side} is no multiple of the {patch} pixels of a patch of {self.clip.model}")
        self.aggregator.check_side(self.side // patch)


class CatSeg(Method):
    """CLIP, cost aggregator and class embeddings."""

    def __init__(
        self,
        *,
        image_encoder: ClipImageEncoder,
        text: TextBank | TrainedTextBank,
        aggregator: CostAggregator,
        config: CatSegConfig,
    ) -> None:
        super().__init__()
        self.image_encoder, self.text, self.aggregator = image_encoder, text, aggregator
        self.normalize = Normalize(image_encoder.mean, image_encoder.std)
        self._side, self._residual, self._views = config.side, config.residual, config.views
        self._ignores_unlabeled = config.unlabeled == "ignored"
        self._taps = find_taps(image_encoder.depth, count=len(config.decoder.widths))

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the binary cross-entropy of every class."""
        images = stack_images(batch, stride=1)
        logits = self.compute_logits(images)
        labels = stack_labels(batch, size=images.shape[2:], num_classes=logits.shape[1])
        return {"loss_bce": compute_bce(logits, labels, ignores_unlabeled=self._ignores_unlabeled)}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Predict each image from its views."""
        return [self._predict(sample) for sample in batch]

    def compute_logits(self, images: Tensor) -> Tensor:
        """Compute the logits of every class: images (B, 3, H, W), RGB in 0-255, to (B, K, h, w)."""
        dense, taps = self.encode(images)
        logits: Tensor = self.aggregator(dense, self.text()[:, None], taps)
        return logits

    def encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encode images at the size that CLIP sees.

        Args:
            images: (B, 3, H, W), RGB in 0-255.

        Returns:
            Dense features (B, D, h, w), not normalized, and patches (B, C, h, w) after some of CLIP's blocks.
        """
        encoder = self.image_encoder
        square = F.interpolate(images, size=(self._side, self._side), mode="bilinear", align_corners=False)
        tokens, grid = encoder.embed(self.normalize(square), interpolation="bicubic")
        taps: list[Tensor] = []
        start = 0
        for tap in self._taps:
            tokens = encoder.run_blocks(tokens, start=start, stop=tap + 1, grid=grid)
            taps.append(to_map(tokens[:, encoder.num_prefix :], grid))
            start = tap + 1
        tokens = encoder.run_blocks(tokens, start=start, stop=encoder.depth - 1, grid=grid)
        last = encoder.list_blocks(grid)[-1]
        values = attend_to_itself(last.attention, last.normalize(tokens))
        patches = last.finish(tokens[:, :1] if self._residual == "class token" else tokens, values)
        return to_map(encoder.project(patches[:, encoder.num_prefix :]), grid), taps

    def _predict(self, sample: Sample) -> Prediction:
        """Predict one image."""
        image = stack_images([sample], stride=1)
        if self._views is not None:
            views, boxes = make_views(image, self._views)
            return join_views(self.compute_logits(views), boxes, sample, config=self._views)
        size = (sample["height"], sample["width"])
        low_res = self.compute_logits(image).float()
        prediction = LowResPrediction(low_res=low_res, padded_size=size, image_size=size, output_size=size)
        return cast(Prediction, prediction)


def find_taps(depth: int, *, count: int) -> list[int]:
    """Return the blocks of CLIP that guide the stages of the decoder: 3 and 7 of 12, 7 and 15 of 24 for two stages."""
    return [max(0, (stage + 1) * depth // (count + 1) - 1) for stage in range(count)]


def compute_bce(logits: Tensor, labels: Tensor, *, ignores_unlabeled: bool) -> Tensor:
    """Compute the mean binary cross-entropy over pixels and classes.

    Args:
        logits: (B, K, h, w).
        labels: (B, H, W) long, `get_ignore_label(K)` at unlabeled pixels.
        ignores_unlabeled: Whether unlabeled pixels are left out; otherwise, they are negatives of all classes.

    Returns:
        Scalar (); 0 if unlabeled pixels are left out and there are no others.
    """
    count = logits.shape[1]
    resized = resize_maps(logits.to(torch.promote_types(logits.dtype, torch.float32)), labels.shape[1:])
    is_labeled = labels != get_ignore_label(count)
    targets = torch.zeros_like(resized)
    targets.scatter_(1, labels.masked_fill(~is_labeled, 0)[:, None], is_labeled[:, None].to(targets))
    if not ignores_unlabeled:
        return compute_binary_cross_entropy(resized, targets).mean()
    terms = compute_binary_cross_entropy(resized, targets).mean(dim=1)  # (B, H, W)
    return (terms * is_labeled).sum() / is_labeled.sum().clamp_min(1)


def build(config: CatSegConfig, split: TrainSplit) -> CatSeg:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    image_encoder = ClipImageEncoder(clip.visual)
    text = build_text(config, split, clip)
    if config.fine_tuning is not None:
        fine_tune_image_encoder(image_encoder, config.fine_tuning)
    aggregator = CostAggregator(
        config.aggregator,
        config.decoder,
        dimension=image_encoder.embed_dim,
        width=image_encoder.width,
        side=config.side // image_encoder.patch_size,
    )
    return CatSeg(image_encoder=image_encoder, text=text, aggregator=aggregator, config=config)


def build_text(config: CatSegConfig, split: TrainSplit, clip: Clip) -> TextBank | TrainedTextBank:
    """Build the class embeddings: from a text encoder that is trained, or from a source that is not.

    Args:
        config: Source, and tensors that are trained.
        split: Prompts.
        clip: CLIP; its image encoder is removed if its text encoder is trained.
    """
    if config.fine_tuning is None or not isinstance(config.class_embeddings, TextEncoderEmbeddings):
        return TextBank(
            build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
        )
    encoder = take_text_encoder(clip)
    fine_tune_text_encoder(encoder, config.fine_tuning)
    return TrainedTextBank(encoder, prompts=split.prompts, tokenizer=build_tokenizer(config.clip))
