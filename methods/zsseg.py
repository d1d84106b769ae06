"""zsseg: "A Simple Baseline for Zero-Shot Semantic Segmentation" (arXiv 2112.14757, ECCV 2022).

Idea: a MaskFormer that is trained with masks of seen classes proposes masks. Each is classified by the embedding of its
query and by CLIP on its crop; their geometric mean trusts queries with seen classes and CLIP with unseen ones.

Supervision: masks of seen classes. Cost: body once, CLIP once for each mask that has a pixel, up to 100.

Official code: MendelXu/zsseg.baseline, commit d77c3af. Equal to it with the same weights (tests/methods/test_zsseg):
embeddings and masks of the segmenter, class scores with and without CLIP, score maps, and the losses of MaskFormer. The
ensemble is official, too, with weight 0.8 (0.7 on VOC) and CLIP's probabilities of 1 for a mask without a pixel.
Official training has two stages. The first learns prompts, by which CLIP classifies crops of labeled regions. The
second trains the segmenter alone, whose queries are compared with these prompts, or with a fixed one on VOC.

Ours:

- One run trains prompts and segmenter at once, with one optimizer and schedule. Prompts still learn from crops alone:
  for queries, their embeddings are detached. The price is that the segmenter learns beside prompts that still change.
- Prompts: AdamW with the segmenter's learning rate in place of SGD with 0.02; regions of the batch in place of a
  balanced set of 32 (COCO-Stuff) or 128 (VOC) per class. The color around a region is CLIP's mean, as in official
  prediction; the official first stage is 0.48 units brighter. Aliases of the split replace class names.
- Crops have the size of CLIP's input; officially 224, to which the positions of RN50x4 and RN50x16 are resized.
- Segmenter: one learning rate, of which the official backbone has a tenth; cosine decay in place of polynomial decay;
  this benchmark's augmentation. Padding of crops is left out of the losses; officially, it is outside every mask.

Prompts are fields of the config, because the paper's ablation varies them; empty `templates` select the split's. The
ensemble already weighs seen against unseen classes; calibration would do so twice, so the paper's setting is gamma = 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

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
    AnyClipConfig,
    Mlp,
    TextBank,
    crop_to_image,
    get_valid_size,
    load_clip,
    stack_labels,
    to_predictions,
    toy_presets,
)
from methods.blocks.mask_classification import (
    SCULPTURE,
    LearnedPrompts,
    LearnedPromptsConfig,
    MaskedCropConfig,
    MaskedCropEncoder,
    MaskFormer,
    MaskFormerConfig,
    MaskMatchingConfig,
    MaskTargets,
    TemplatePromptsConfig,
    TextPromptsConfig,
    build_text,
    check_learned_prompts_fit,
    classify_queries,
    combine_probabilities,
    compute_matching_losses,
    list_learned_prompt_rules,
    make_mask_targets,
    rename_with_segmenter,
    stack_for_pyramid,
    toy_mask_former,
)


class ZsSegConfig(Config):
    """Parts of zsseg; the defaults are those of COCO-Stuff.

    Attributes:
        clip: Frozen CLIP, with any image encoder.
        segmenter: MaskFormer.
        matching: Weights of matching and losses.
        region_prompts: Prompts by which CLIP classifies regions.
        query_prompts: Fixed prompts by which the segmenter classifies queries; None for the same as regions.
        prompt_regions: Number of regions of a batch that learned prompts are trained with.
        crops: Regions and how CLIP sees them.
        ensemble: Weight of the segmenter's probabilities for seen classes, and of CLIP's for unseen ones, in their
            geometric mean; 0 for CLIP alone, None for the segmenter alone.
        skip_no_object: Whether CLIP skips masks that are most likely no object; ours, it saves time.
        hidden: Width of the hidden layer between a query and its embedding in the space of CLIP.
        scale: Inverse temperature of all classifiers.
    """

    clip: AnyClipConfig = AnyClipConfig()
    segmenter: MaskFormerConfig = MaskFormerConfig()
    matching: MaskMatchingConfig = MaskMatchingConfig()
    region_prompts: TextPromptsConfig = LearnedPromptsConfig()
    query_prompts: TemplatePromptsConfig | None = None
    prompt_regions: int = Field(default=32, ge=1)
    crops: MaskedCropConfig = MaskedCropConfig()
    ensemble: float | None = Field(default=0.8, ge=0, le=1)
    skip_no_object: bool = False
    hidden: int = Field(default=1024, ge=1)
    scale: float = Field(default=100.0, gt=0)

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that learned prompts fit CLIP."""
        super().check_plan(budget)
        if isinstance(self.region_prompts, LearnedPromptsConfig):
            check_learned_prompts_fit(self.region_prompts, self.clip, setting="region_prompts.prefix")


class ZsSeg(Method):
    """MaskFormer, and CLIP on crops of its masks."""

    is_seen: Tensor

    def __init__(
        self,
        config: ZsSegConfig,
        *,
        seen: Sequence[str],
        segmenter: MaskFormer,
        crops: MaskedCropEncoder,
        region_text: LearnedPrompts | TextBank,
        query_text: LearnedPrompts | TextBank | None,
        text_width: int,
    ) -> None:
        super().__init__()
        self.config, self.segmenter, self.crops = config, segmenter, crops
        self.region_text, self.query_text, self._seen = region_text, query_text, frozenset(seen)
        self.project = Mlp(segmenter.width, config.hidden, region_text.dimension, layers=2)
        self.no_object = nn.Parameter(torch.randn(1, region_text.dimension) * text_width**-0.5)
        self.register_buffer("is_seen", torch.empty(0, dtype=torch.bool), persistent=False)

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.region_text.set_classes(names)
        if self.query_text is not None:
            self.query_text.set_classes(names)
        self.is_seen = torch.tensor([name in self._seen for name in names], device=self.is_seen.device)

    def losses(self, batch: Batch) -> Losses:
        """Compute the losses of matched queries, and with learned prompts those of labeled regions."""
        images, is_image = stack_for_pyramid(batch, stride=self.segmenter.stride)
        labels = stack_labels(batch, size=images.shape[2:], num_classes=len(self.is_seen))
        targets = make_mask_targets(labels, num_classes=len(self.is_seen), unlabeled=self.config.matching.unlabeled)
        output = self.segmenter(images, generator=self.step_context.generator("dropout"))
        region_text = self.region_text()
        losses = compute_matching_losses(
            self.classify(output.embeddings, self._get_query_text(region_text)),
            output.masks,
            targets.restrict(is_image),
            config=self.config.matching,
            generator=self.step_context.generator("points"),
        )
        if isinstance(self.region_text, LearnedPrompts):
            losses["loss_prompts"] = self._compute_prompt_loss(batch, targets, region_text)
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Sum up the masks of each image, weighted by their class probabilities."""
        return [self._predict(sample) for sample in batch]

    def classify(self, embeddings: Tensor, text: Tensor) -> Tensor:
        """Compute class logits of queries.

        Args:
            embeddings: (…, width) query embeddings.
            text: (K, D) class embeddings.

        Returns:
            (…, K + 1) scaled cosines, the last column for no-object.
        """
        return classify_queries(self.project(embeddings), text, self.no_object, scale=self.config.scale)

    def classify_regions(self, image: Tensor, masks: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Compute CLIP's class probabilities of regions.

        Args:
            image: (3, H, W) RGB in 0-255.
            masks: (Q, H, W) in 0-1.
            text: (K, D) class embeddings.

        Returns:
            Probabilities (M, K) of the masks that have a region, and which those are, (Q,) bool.
        """
        vectors, has_region = self.crops(image, masks)
        return (self.config.scale * vectors @ text.T).softmax(dim=1), has_region

    def _compute_prompt_loss(self, batch: Batch, targets: MaskTargets, text: Tensor) -> Tensor:
        """Compute the cross-entropy of CLIP on crops of labeled regions, drawn from all of the batch: ()."""
        regions = [(image, mask) for image, count in enumerate(targets.counts) for mask in range(count)]
        order = torch.randperm(len(regions), generator=self.step_context.generator("regions")).tolist()
        drawn = [regions[index] for index in order[: self.config.prompt_regions]]
        crops: list[Tensor] = []
        for image, mask in drawn:
            height, width = get_valid_size(batch[image])
            crops.append(
                self.crops.crop(crop_to_image(batch[image]), targets.masks[image, mask, None, :height, :width])[0]
            )
        vectors = self.crops.encode(torch.cat([text.new_zeros(0, 3, *self.crops.size), *crops]))
        classes = torch.stack([targets.classes[pair] for pair in drawn] or [targets.classes.new_zeros(())])
        logits = self.config.scale * vectors @ text.T  # (regions, K)
        return F.cross_entropy(logits, classes) if len(logits) else text.sum() * 0.0

    def _predict(self, sample: Sample) -> Prediction:
        """Predict one image."""
        images, _ = stack_for_pyramid([sample], stride=self.segmenter.stride)
        output, text = self.segmenter(images, only_last=True), self.region_text()
        probabilities = self.classify(output.embeddings[-1, 0], self._get_query_text(text)).softmax(dim=1)  # (Q, K + 1)
        masks = F.interpolate(output.masks[-1].float(), size=images.shape[2:], mode="bilinear")[0].sigmoid()
        probabilities, masks = self._ensemble(probabilities, masks, image=crop_to_image(sample), text=text)
        scores = torch.einsum("qk,qhw->khw", probabilities, masks)
        return to_predictions(scores[None], [sample], padded=images.shape[2:])[0]

    def _ensemble(self, probabilities: Tensor, masks: Tensor, *, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the probabilities of queries (Q, K + 1) with CLIP's: class probabilities (M, K) and masks (M, H, W).

        Masks without a region keep the probabilities of their queries, as if CLIP's were 1; with CLIP alone, they are
        dropped.
        """
        classes, weight = probabilities[:, :-1], self.config.ensemble
        if weight is None:
            return classes, masks
        height, width = image.shape[1:]
        regions = masks[:, :height, :width]
        if self.config.skip_no_object:
            is_object = probabilities.argmax(dim=1) < classes.shape[1]
            regions = regions * is_object[:, None, None]
        region_classes, has_region = self.classify_regions(image, regions, text)
        if weight == 0:
            return region_classes, masks[has_region]
        by_clip = torch.ones_like(classes)
        by_clip[has_region] = region_classes.to(classes)
        return combine_probabilities(classes, by_clip, is_seen=self.is_seen, weight=weight), masks

    def _get_query_text(self, region_text: Tensor) -> Tensor:
        """Return the class embeddings for queries, (K, D), without gradients."""
        return region_text.detach() if self.query_text is None else self.query_text()


def build(config: ZsSegConfig, split: TrainSplit) -> ZsSeg:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    build_texts = partial(build_text, clip=clip, clip_config=config.clip, texts=split.prompts)
    text_encoder: Any = getattr(clip, "text", clip)
    return ZsSeg(
        config,
        seen=split.seen,
        segmenter=MaskFormer(config.segmenter),
        crops=MaskedCropEncoder(clip, config.crops),
        region_text=build_texts(config.region_prompts),
        query_text=None if config.query_prompts is None else build_texts(config.query_prompts),
        text_width=text_encoder.token_embedding.embedding_dim,
    )


def convert_official(official: Mapping[str, Tensor], method: ZsSeg) -> dict[str, Tensor]:
    """Translate a checkpoint of zsseg.baseline, such as its "model" table, to our names.

    Regions may have an adapter of their own there, with the same CLIP and other prompts.

    Raises:
        ValueError: A name is unknown or missing.
    """
    own = r"_region_clip_adapter\."
    regions = own if any(name.startswith("_region_clip_adapter.") for name in official) else r"clip_adapter\."
    is_learned = isinstance(method.region_text, LearnedPrompts)
    rules = [
        (r"sem_seg_head\.predictor\.class_embed\.(.+)", r"project.\1"),
        (r"clip_adapter\.non_object_embedding", "no_object"),
        (regions + r"clip_model\.visual\.(.+)", r"crops.visual.\1"),
        *(list_learned_prompt_rules(regions, into="region_text.") if is_learned else []),
        # constants, signals that are tokens of CLIP, and the other copies of CLIP, which is frozen
        (r"(?:_region_)?clip_adapter\.(?:pixel_mean|pixel_std|non_object_embedding)", None),
        (r"(?:_region_)?clip_adapter\.(?:prompt_learner|clip_model)\..+", None),
    ]
    source = "a checkpoint of zsseg.baseline"
    return rename_with_segmenter(official, method.segmenter, rules=rules, source=source)


def _read(name: str) -> TemplatePromptsConfig:
    return TemplatePromptsConfig.model_validate({"templates": name})


VARIANTS: dict[str, ZsSegConfig] = {
    "zsseg": ZsSegConfig(),
    "single prompt": ZsSegConfig(region_prompts=SCULPTURE),
    "ImageNet prompts": ZsSegConfig(region_prompts=_read("imagenet80")),
    "VILD prompts": ZsSegConfig(region_prompts=_read("vild14")),
    "single prompt for queries": ZsSegConfig(query_prompts=SCULPTURE),
    "without CLIP on regions": ZsSegConfig(ensemble=None),
    "CLIP on regions alone": ZsSegConfig(ensemble=0.0),
}

TOY_SETTINGS = {"hidden": 128, "prompt_regions": 8, "ensemble": 0.6}  # the weight was chosen on `toybox_tune`

RECIPE = Recipe(
    title="zsseg",
    paper="arXiv 2112.14757",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="zsseg trains prompts and segmenter at once, with one learning rate.",
        cost="body once, CLIP once for each mask",
    ),
    variants=VARIANTS,
    build=build,
    convert_official=convert_official,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=2e-3),
        "voc12": Budget(
            iterations=20_000, batch_size=16, learning_rate=1e-4, weight_decay=1e-4, warmup=0, clip_norm=0.01
        ),
        "*": Budget(iterations=60_000, batch_size=32, learning_rate=1e-4, weight_decay=1e-4, warmup=0, clip_norm=0.01),
    },
    presets=toy_presets(body=False, settings=toy_mask_former("segmenter") | TOY_SETTINGS)
    | {"voc12": {"ensemble": 0.7, "query_prompts": SCULPTURE.model_dump(mode="json")}},
)
