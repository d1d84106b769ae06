"""DeOP: Decoupled One-Pass network (arXiv 2304.01198).

Idea: CLIP classifies all mask proposals of an image in one pass, because its patches do not attend to each other in
the last block (generalized patch severance, GPS), and because learned anchors choose the patches that tell what a
proposal shows (classification anchor learning, CAL).

Official code: CongHan0808/DeOP, commit 614454c (no license: nothing of it is part of this project). Given the same
weights, dense embeddings, scores, losses and gradients are those of that code (tests/methods/blocks/deop).

What the code does, beyond the equations: the value of a patch is multiplied by the sum of its masks; CLIP sees images
that are normalized with the statistics of ImageNet; extra positions are added before blocks 0 to 5; the prompts are
trained on in the last stage; unlabeled pixels are positives of a map of their own, no object (`loss.unlabeled`).

The paper trains three stages one after the other: learned prompts, proposals on seen classes, and DeOP's own part with
frozen proposals. Here, one run trains them at once, with gradients cut between them. The losses of proposals reach the
segmenter alone, because the class embeddings that its queries are compared with are detached; the loss of class maps
reaches prompts, extra positions and anchors, because masks are detached. Each part has the loss of its stage, all the
time; what differs is that it learns beside parts that still change. With stages one after the other, each would get a
third of the iterations of a run, and the parts of the other stages would have no gradients meanwhile. The first stage,
CLIP on crops of labeled regions, is left out: its prompts are only the start of those of the third stage, which are
trained by the loss of class maps, as here. The embedding of no object is trained by both losses, as it is in the second
and third stage.

Also ours: the benchmark's optimizer and schedule (AdamW, cosine), with one learning rate for all; losses without the
padding of crops, which is unlabeled officially; aliases of the split in place of class names. There are as many anchors
as proposals, as in the code, so that `segmenter.queries` varies both. The paper's comparison with masked crops is
zsseg, which has the same segmenter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import lcm

import torch
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
    ClipConfig,
    ClipImageEncoder,
    Mlp,
    Normalize,
    TextBank,
    load_clip,
    stack_labels,
    to_predictions,
    toy_presets,
)
from methods.blocks.deop import (
    AnchorDecoder,
    AnchorsConfig,
    ClassMapConfig,
    ClassMapLoss,
    ExtraPositionsConfig,
    MaskAverage,
    PixelStatistics,
    RegionVectors,
    SeveranceConfig,
    SeveredEncoder,
    build_normalize,
    check_blocks,
    compute_class_maps,
    rename_deop,
)
from methods.blocks.mask_classification import (
    LearnedPrompts,
    LearnedPromptsConfig,
    MaskFormer,
    MaskFormerConfig,
    MaskFormerOutput,
    MaskMatchingConfig,
    MaskTargets,
    PyramidConfig,
    TemplatePromptsConfig,
    build_text,
    check_learned_prompts_fit,
    classify_queries,
    compute_matching_losses,
    make_mask_targets,
    stack_for_pyramid,
    toy_mask_former,
)

R101C = PyramidConfig(encoder="tu-resnet101s", multi_grid=(1, 2, 4))


class DeopConfig(Config):
    """Parts of DeOP. A part that is None is switched off.

    Attributes:
        clip: Frozen CLIP.
        learned_tokens: Number of learned tokens before a class name; None for the prompts of the split.
        segmenter: Network that proposes masks.
        matching: Losses of proposals.
        severance: Severed blocks of CLIP; None for CLIP's own attention.
        positions: Extra positions in CLIP.
        anchors: Classification anchors; None for the mean of the embeddings under each mask.
        loss: Loss of class maps.
        temperature: Factor on cosines.
        pixel_statistics: Mean and standard deviation of the pixels that CLIP gets.
    """

    clip: ClipConfig = ClipConfig()
    learned_tokens: int | None = Field(default=16, ge=1)
    segmenter: MaskFormerConfig = MaskFormerConfig(pyramid=R101C)
    matching: MaskMatchingConfig = MaskMatchingConfig()
    severance: SeveranceConfig | None = SeveranceConfig()
    positions: ExtraPositionsConfig | None = ExtraPositionsConfig()
    anchors: AnchorsConfig | None = AnchorsConfig()
    loss: ClassMapConfig = ClassMapConfig()
    temperature: float = Field(default=100.0, gt=0)
    pixel_statistics: PixelStatistics = "ImageNet"

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that learned tokens, severed blocks, positions and anchors fit CLIP."""
        super().check_plan(budget)
        if self.learned_tokens is not None:
            prompts = LearnedPromptsConfig(prefix=self.learned_tokens)
            check_learned_prompts_fit(prompts, self.clip, setting="learned_tokens")
        check_blocks(self.clip.model, severance=self.severance, positions=self.positions)
        if self.anchors is not None:
            self.anchors.check_clip(self.clip.model)


class Deop(Method):
    """Segmenter that proposes masks, CLIP with severed patches, region vectors of proposals, and class embeddings."""

    def __init__(
        self,
        *,
        text: LearnedPrompts | TextBank,
        segmenter: MaskFormer,
        dense: SeveredEncoder,
        regions: RegionVectors,
        normalize: Normalize,
        config: DeopConfig,
    ) -> None:
        super().__init__()
        self.text, self.segmenter, self.dense, self.regions = text, segmenter, dense, regions
        self.normalize, self._config, self.class_maps = normalize, config, ClassMapLoss(config.loss)
        dimension = dense.encoder.embed_dim
        self.embed_queries = Mlp(segmenter.width, 2 * dimension, dimension, layers=2)
        self.no_object = nn.Parameter(dimension**-0.5 * torch.randn(1, dimension))
        self.stride = lcm(segmenter.stride, dense.encoder.patch_size)

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the losses of proposals, and those of class maps with the masks of the proposals as constants."""
        images, is_image = stack_for_pyramid(batch, stride=self.stride)
        text = self.text()
        labels = stack_labels(batch, size=images.shape[2:], num_classes=len(text))
        targets = make_mask_targets(labels, num_classes=len(text), unlabeled=self._config.matching.unlabeled)
        proposals = self.segmenter(images, generator=self.step_context.generator("dropout of proposals"))
        losses = self.compute_proposal_losses(proposals, targets.restrict(is_image), text.detach())
        masks = proposals.masks[-1].detach()
        generator = self.step_context.generator("dropout of anchors")
        probabilities = self.classify(images, masks, text, generator=generator)
        return {**losses, **self.class_maps(masks, probabilities, labels, is_image=is_image)}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Sum the masks of each image by the probabilities of their classes."""
        return [self._predict(sample) for sample in batch]

    def compute_proposal_losses(self, proposals: MaskFormerOutput, targets: MaskTargets, text: Tensor) -> Losses:
        """Match queries with the masks of the labels, and compute their losses.

        Args:
            proposals: Queries and their masks.
            targets: Masks of the labels.
            text: Class embeddings (K, D).
        """
        logits = self.compare(self.embed_queries(proposals.embeddings), text)  # (L, B, N, K + 1)
        return compute_matching_losses(
            logits,
            proposals.masks,
            targets,
            config=self._config.matching,
            generator=self.step_context.generator("points"),
        )

    def classify(self, images: Tensor, masks: Tensor, text: Tensor, *, generator: torch.Generator | None) -> Tensor:
        """Classify all proposals of images in one pass of CLIP.

        Args:
            images: (B, 3, H, W), RGB in 0-255.
            masks: Logits of the masks of N proposals, (B, N, h, w).
            text: Class embeddings (K, D).
            generator: CPU generator of dropout; None in prediction.

        Returns:
            Probabilities of K classes and of no object, (B, N, K + 1).
        """
        dense = self.dense(self.normalize(images), masks)
        return self.compare(self.regions(dense, masks, generator=generator), text).softmax(dim=-1)

    def compare(self, vectors: Tensor, text: Tensor) -> Tensor:
        """Compute scaled cosines with the classes (K, D) and with no object: (..., D) to (..., K + 1)."""
        return classify_queries(vectors, text, self.no_object, scale=self._config.temperature)

    def compute_scores(self, images: Tensor) -> Tensor:
        """Compute class maps, images (B, 3, H, W), RGB in 0-255, to (B, K, H, W)."""
        masks = self.segmenter(images, only_last=True).masks[-1]
        probabilities = self.classify(images, masks, self.text(), generator=None)
        return compute_class_maps(masks, probabilities[..., :-1], size=images.shape[2:])

    def _predict(self, sample: Sample) -> Prediction:
        """Predict one image."""
        images, _ = stack_for_pyramid([sample], stride=self.stride)
        return to_predictions(self.compute_scores(images), [sample], padded=images.shape[2:])[0]


def build(config: DeopConfig, split: TrainSplit) -> Deop:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    encoder = ClipImageEncoder(clip.visual)
    learned = config.learned_tokens
    prompts = TemplatePromptsConfig() if learned is None else LearnedPromptsConfig(prefix=learned)
    return Deop(
        text=build_text(prompts, clip=clip, clip_config=config.clip, texts=split.prompts),
        segmenter=MaskFormer(config.segmenter),
        dense=SeveredEncoder(encoder, severance=config.severance, positions=config.positions),
        regions=_build_regions(config, dimension=encoder.embed_dim),
        normalize=build_normalize(config.pixel_statistics, encoder),
        config=config,
    )


def _build_regions(config: DeopConfig, *, dimension: int) -> RegionVectors:
    if config.anchors is None:
        return MaskAverage()
    return AnchorDecoder(config.anchors, num_anchors=config.segmenter.queries, dimension=dimension)


def convert_official(official: Mapping[str, Tensor], method: Deop) -> dict[str, Tensor]:
    """Translate a checkpoint of DeOP with learned positions, such as model_final.pth, to our names.

    Raises:
        ValueError: A name is unknown or missing.
    """
    learns_prompts = isinstance(method.text, LearnedPrompts)
    return rename_deop(official, segmenter=method.segmenter, learns_prompts=learns_prompts)


VARIANTS: dict[str, DeopConfig] = {
    "DeOP": DeopConfig(),
    "no severance": DeopConfig(severance=None),
    "values without masks": DeopConfig(severance=SeveranceConfig(kind="value")),
    "mask affinity": DeopConfig(severance=SeveranceConfig(kind="mask affinity")),
    "two severed blocks": DeopConfig(severance=SeveranceConfig(blocks=2)),
    "no anchors": DeopConfig(anchors=None),
    "fixed prompts": DeopConfig(learned_tokens=None),
    "unlabeled pixels ignored": DeopConfig(loss=ClassMapConfig(unlabeled="ignored")),
}

RECIPE = Recipe(
    title="DeOP",
    paper="arXiv 2304.01198",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="DeOP's three stages are trained at the same time, with gradients cut between them.",
        cost="segmenter once, CLIP once",
    ),
    variants=VARIANTS,
    build=build,
    convert_official=convert_official,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=2e-3),
        "voc12": Budget(
            iterations=20_000, batch_size=16, learning_rate=2e-4, weight_decay=1e-4, warmup=0, clip_norm=0.01
        ),
        "*": Budget(iterations=60_000, batch_size=16, learning_rate=2e-4, weight_decay=1e-4, warmup=0, clip_norm=0.01),
    },
    presets=toy_presets(
        body=False,
        settings={
            **toy_mask_former("segmenter"),
            "positions.before": (0, 1),
            "positions.grid": 8,
            "anchors.heads": 4,
            "anchors.dropout": 0.0,
            "temperature": 30.0,  # chosen on `toybox_tune`
        },
    ),
)
