"""Split Matching (SM): two groups of queries and two matchings (arXiv 2505.05023).

Idea: a query-based segmenter that is trained with one Hungarian matching learns that objects of unlabeled classes are
no objects. Here seen queries are matched with annotated masks, and, on their own, candidate queries with pseudo regions
of the unlabeled pixels: clusters of CLIP's dense embeddings, each with the CLS token of its masked crop. Features of
several scales are added to the decoder's (Multi-scale Feature Enhancement, MFE).

Supervision: masks of seen classes. Void pixels count as unlabeled objects like those of unseen classes.

RECONSTRUCTION. No official code was found, and only the paper's abstract was available: the two groups and matchings,
clusters and CLS tokens as pseudo annotations, and MFE are the paper's. Ours is everything else:

- Segmenter: MaskFormer as in zsseg, with 100 seen and 50 candidate queries; a two-layer network gives the embeddings of
  queries. Cosines times 100 with class embeddings, and with a trained one of no-object, are logits.
- Regions: as in `methods/clip_zss.py`, at most 16, computed in each step. Embeddings: masked crops as in zsseg,
  the bounding box with CLIP's mean color outside the region.
- Costs: class probability, focal and dice with the weights 1, 20 and 1 of zsseg in both matchings; the classes of
  candidates are the regions of the image and no-object.
- Losses of seen queries: those of zsseg, with 0.1 for no-object, but masks on labeled pixels only. Losses of candidate
  queries: InfoNCE at temperature 0.07 over the regions of the batch and a bank of 24, focal and dice on unlabeled
  pixels only. An unmatched candidate is no error. All of them at each layer of the decoder.
- MFE: depthwise convolutions of the per-pixel features at strides 1, 2 and 4, added after a 1x1 convolution that starts
  at zero.
- "one matching" matches all queries with labeled masks and regions at once; the regions are classes of their image.
- Prediction: all queries score all classes, as in MaskFormer.

Cost: a training step runs CLIP once for each image and once for each region. Clustering takes at most 12% of the
operations of a ViT-B/16 on an image of 512 x 512.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

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
    EXCLUDED_LOGIT,
    AnyClipConfig,
    ClassEmbeddingsConfig,
    ClipImageEncoder,
    Mlp,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    check_embeddings_fit,
    check_patches,
    load_clip,
    stack_labels,
    to_predictions,
    toy_presets,
)
from methods.blocks.candidate_regions import (
    CandidateConfig,
    CandidateRegions,
    Enhancement,
    RegionContrast,
    Regions,
    mark_unlabeled,
)
from methods.blocks.mask_classification import (
    MaskFormer,
    MaskFormerConfig,
    MaskFormerOutput,
    MaskMatchingConfig,
    MaskTargets,
    classify_queries,
    compute_mask_losses,
    compute_matching_losses,
    make_mask_targets,
    match_queries,
    stack_for_pyramid,
    stack_mask_targets,
    toy_mask_former,
)

LOGIT_SCALE = 100.0
"""Inverse temperature of the cosines of queries and class embeddings, CLIP's own."""


class SplitMatchingConfig(Config):
    """Parts of Split Matching. A part that is None is switched off.

    Attributes:
        clip: Frozen CLIP, the teacher.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        segmenter: Sizes of the segmenter; its queries are those of both groups.
        candidates: The second matching.
        enhancement: Strides of MFE; empty for none.
        matching: Weights of costs and losses.
    """

    clip: AnyClipConfig = AnyClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    segmenter: MaskFormerConfig = MaskFormerConfig(queries=150)
    candidates: CandidateConfig | None = CandidateConfig()
    enhancement: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = (1, 2, 4)
    matching: MaskMatchingConfig = MaskMatchingConfig(unlabeled="ignored")

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, that class embeddings and candidates fit CLIP, and that both groups have queries.

        Raises:
            ValueError: They do not fit, or all queries are candidates.
        """
        candidates, queries = self.candidates, self.segmenter.queries
        if candidates is not None and candidates.queries == "split" and candidates.count >= queries:
            raise ValueError(
                f"candidates.count is {candidates.count}, expected less than segmenter.queries, {queries}: "
                "the other queries are matched with seen classes"
            )
        if candidates is not None:
            advice = "candidates are regions of CLIP's patches (candidates=null switches them off)"
            check_patches(self.clip.model, needed_by=advice)
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)


class SplitMatching(Method):
    """Segmenter and embeddings of its queries, of which the first `num_seen_queries` have the first matching."""

    def __init__(
        self,
        *,
        segmenter: MaskFormer,
        text: TextBank,
        candidates: CandidateRegions | None,
        matching: MaskMatchingConfig,
        num_seen_queries: int,
    ) -> None:
        super().__init__()
        self.segmenter, self.text, self.candidates, self.matching = segmenter, text, candidates, matching
        self.num_seen_queries = num_seen_queries
        self.contrast = RegionContrast(candidates.config, dimension=text.dimension) if candidates else None
        self.embed = Mlp(segmenter.width, 4 * segmenter.width, text.dimension, layers=2)
        self.no_object = nn.Parameter(torch.randn(1, text.dimension))

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the losses of both matchings at each decoder layer."""
        images, is_image = stack_for_pyramid(batch, stride=self.segmenter.stride)
        num_seen = len(self.text())
        labels = stack_labels(batch, size=images.shape[2:], num_classes=num_seen)
        output = self.segmenter(images, generator=self.step_context.generator("dropout"))
        embeddings = self.embed_queries(output)
        targets = make_mask_targets(labels, num_classes=num_seen, unlabeled=self.matching.unlabeled).restrict(is_image)
        if self.candidates is None:
            return self.match_seen(embeddings, output.masks, targets)
        is_unlabeled = mark_unlabeled(labels, num_classes=num_seen)
        regions, pseudo = self.candidates(batch, images, is_unlabeled if is_image is None else is_unlabeled & is_image)
        if self.candidates.config.queries == "joined":
            return self.match_jointly(
                embeddings, output.masks, seen=targets, regions=regions, pseudo=pseudo, is_image=is_image
            )
        seen = self.match_seen(
            embeddings[:, :, : self.num_seen_queries], output.masks[:, :, : self.num_seen_queries], targets
        )
        return seen | self.match_candidates(embeddings, output.masks, regions=regions, targets=pseudo)

    def match_seen(self, embeddings: Tensor, masks: Tensor, targets: MaskTargets) -> Losses:
        """Compute the losses of the first matching: embeddings (L, B, Q, D), mask logits (L, B, Q, h, w)."""
        logits = self.classify(embeddings, self.text())
        generator = self.step_context.generator("points")
        losses = compute_matching_losses(logits, masks, targets, config=self.matching, generator=generator)
        return {name.replace("loss_", "loss_seen_"): loss for name, loss in losses.items()}

    def match_jointly(
        self,
        embeddings: Tensor,
        masks: Tensor,
        *,
        seen: MaskTargets,
        regions: Regions,
        pseudo: MaskTargets,
        is_image: Tensor | None,
    ) -> Losses:
        """Compute the losses of one matching with all masks, in which regions are classes of an image.

        Args:
            embeddings: (L, B, Q, D) unit vectors of all queries.
            masks: (L, B, Q, h, w) mask logits.
            seen: Masks of seen classes.
            regions: Pseudo regions of the images.
            pseudo: Masks of the regions.
            is_image: (B, H, W) bool, pixels that count; None for all.
        """
        text, num_images = self.text(), len(regions.is_present)
        counts = list(zip(seen.counts, pseudo.counts, strict=True))
        logits = self.classify(embeddings, torch.cat([text.expand(num_images, -1, -1), regions.embeddings], dim=1))
        is_absent = F.pad(~regions.is_present, (len(text), 1))  # seen classes and no-object are never absent
        targets = stack_mask_targets(
            [torch.cat([seen.classes[b, :n], len(text) + pseudo.classes[b, :m]]) for b, (n, m) in enumerate(counts)],
            [torch.cat([seen.masks[b, :n], pseudo.masks[b, :m]]) for b, (n, m) in enumerate(counts)],
            size=seen.masks.shape[2:],
            valid=is_image,
        )
        logits = logits.masked_fill(is_absent.unsqueeze(1), EXCLUDED_LOGIT)
        generator = self.step_context.generator("points")
        losses = compute_matching_losses(logits, masks, targets, config=self.matching, generator=generator)
        return {name.replace("loss_", "loss_joint_"): loss for name, loss in losses.items()}

    def match_candidates(self, embeddings: Tensor, masks: Tensor, *, regions: Regions, targets: MaskTargets) -> Losses:
        """Compute the losses of the second matching, and remember the embeddings of its regions.

        Args:
            embeddings: (L, B, Q, D) unit vectors of all queries.
            masks: (L, B, Q, h, w) mask logits.
            regions: Pseudo regions of the images.
            targets: Masks of the regions.
        """
        assert self.candidates is not None and self.contrast is not None
        shared = self.candidates.config.queries == "shared"
        group = slice(None) if shared else slice(self.num_seen_queries, None)
        embeddings, masks = embeddings[:, :, group], masks[:, :, group]
        losses: Losses = {}
        for layer, (queries, layer_masks) in enumerate(zip(embeddings, masks, strict=True)):
            suffix = "" if layer == len(masks) - 1 else f"_{layer}"
            logits = self.classify(queries, regions.embeddings)
            logits[:, :, :-1] = logits[:, :, :-1].masked_fill(~regions.is_present.unsqueeze(1), EXCLUDED_LOGIT)
            generator = self.step_context.generator("points", layer)
            matches = match_queries(logits, layer_masks, targets, config=self.matching, generator=generator)
            focal, dice = compute_mask_losses(layer_masks, targets, matches, config=self.matching, generator=generator)
            nce = self.contrast(queries, matches, regions)
            losses[f"loss_candidate_nce{suffix}"] = self.matching.class_weight * nce
            losses[f"loss_candidate_mask{suffix}"], losses[f"loss_candidate_dice{suffix}"] = focal, dice
        self.contrast.remember(regions)
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Sum up the masks of each image, weighted by their class probabilities."""
        return [self._predict(sample) for sample in batch]

    def embed_queries(self, output: MaskFormerOutput) -> Tensor:
        """Compute the embeddings of queries (L, B, Q, D), unit vectors."""
        return F.normalize(self.embed(output.embeddings).float(), dim=-1)

    def classify(self, queries: Tensor, classes: Tensor) -> Tensor:
        """Compute scaled cosines of queries with classes and no-object.

        Args:
            queries: (…, B, Q, D) unit vectors.
            classes: (K, D) unit vectors, or (B, K, D) of each image.

        Returns:
            (…, B, Q, K + 1), the last one for no-object.
        """
        return classify_queries(queries, classes, self.no_object, scale=LOGIT_SCALE)

    def _predict(self, sample: Sample) -> Prediction:
        """Predict one image."""
        images, _ = stack_for_pyramid([sample], stride=self.segmenter.stride)
        output = self.segmenter(images, only_last=True)
        probabilities = self.classify(self.embed_queries(output)[-1], self.text()).softmax(dim=2)[:, :, :-1]
        scores = torch.einsum("bqk,bqhw->bkhw", probabilities, output.masks[-1].float().sigmoid())
        return to_predictions(scores, [sample], padded=images.shape[2:])[0]


def build(config: SplitMatchingConfig, split: TrainSplit) -> SplitMatching:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    candidates, channels = config.candidates, config.segmenter.mask_channels
    enhance = Enhancement(channels, config.enhancement) if config.enhancement else None
    is_split = candidates is not None and candidates.queries == "split"
    return SplitMatching(
        segmenter=MaskFormer(config.segmenter, enhance=enhance),
        text=TextBank(embeddings),
        candidates=CandidateRegions(clip, ClipImageEncoder(clip.visual), candidates) if candidates else None,
        matching=config.matching,
        num_seen_queries=config.segmenter.queries - (candidates.count if candidates and is_split else 0),
    )


VARIANTS: dict[str, SplitMatchingConfig] = {
    "Split Matching": SplitMatchingConfig(),
    "no candidates": SplitMatchingConfig(candidates=None),
    "one matching": SplitMatchingConfig(candidates=CandidateConfig(queries="joined")),
    "shared queries": SplitMatchingConfig(candidates=CandidateConfig(queries="shared")),
    "no MFE": SplitMatchingConfig(enhancement=()),
    "dense embeddings of regions": SplitMatchingConfig(candidates=CandidateConfig(embedding="dense")),
    "no bank": SplitMatchingConfig(candidates=CandidateConfig(bank=0)),
}

TOY_SETTINGS = {
    **toy_mask_former("segmenter"),
    "segmenter.queries": 16,
    "segmenter.layers": 2,
    "candidates.count": 5,
    "candidates.crop_size": 32,
    "candidates.regions.max_regions": 4,
    "candidates.regions.merge_above": 0.8,
}
"""Sizes for the toy CLIP and 64 x 64 images, and a threshold of merging that was chosen on `toybox_tune`."""

RECIPE = Recipe(
    title="Split Matching",
    paper="arXiv 2505.05023",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="Split Matching is our reconstruction from the paper's abstract.",
        cost="segmenter once",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=2e-3),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=1e-4, weight_decay=1e-4, warmup=0, clip_norm=0.01),
    },
    presets=toy_presets(body=False, settings=TOY_SETTINGS),
)
