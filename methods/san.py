"""SAN: Side Adapter Network for open-vocabulary semantic segmentation (arXiv 2302.12242, CVPR 2023).

Idea: a small network beside a frozen CLIP, which reads CLIP's features, proposes masks; and attention biases that it
predicts for each mask make copies of CLIP's class token recognize what the mask covers.

Supervision: masks of seen classes. The paper trains on all 171 classes of COCO-Stuff; here, the unseen ones of the
split are left out, and masks of these may have been among the training data of the published weights.

Official code: MendelXu/SAN e19262d (MIT). With equal weights, outputs, losses, gradients and the number of trained
parameters are the same as there, which tests compare. The side network starts with random weights, as in the official
code. Prompts of the paper: `--set 'protocol.prompts={templates: vild14}'`. For ViT-L: `clip_scale=0.7`.

Differences:

- The benchmark's optimizer: cosine decay in place of polynomial decay, and weight decay also on queries and positions.
- Padding of training crops has the mean color of CLIP, not gray; it belongs to no mask, as there.
- Positions of the side network are resized for every grid but theirs; there, only if the number of patches differs.
- Blocks of CLIP are given in twelfths of its depth, so that a config fits each CLIP.
- The class embeddings of a batch are those of the split, with its prompts and aliases.
- The variants change one part each. Their details are ours, as the paper's baselines have no code: with one head for
  masks and biases, the biases are the masks, scaled; without biases, CLIP's dense embeddings are averaged under masks.

Cost: CLIP once, at half the size of the image; the copies of the class token pass its last quarter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    Normalize,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    check_class_embedding,
    check_embeddings_fit,
    load_clip,
    resize_to_sample,
    stack_images,
    stack_labels,
    toy_presets,
)
from methods.blocks.mask_classification import (
    MaskMatchingConfig,
    PointSamplingConfig,
    classify_queries,
    compute_matching_losses,
    make_mask_targets,
)
from methods.blocks.side_adapter import (
    BiasedTokensConfig,
    MaskPoolingConfig,
    Recognition,
    RecognitionConfig,
    SideAdapter,
    SideAdapterConfig,
    build_recognition,
    compute_stride,
    get_positions,
    rename_official,
    run_to_blocks,
)

MATCHING = MaskMatchingConfig(
    class_weight=2, mask_weight=5, dice_weight=5, mask_term="bce", sampling=PointSamplingConfig()
)
"""Weights of the paper, for matching and losses."""


class SanConfig(Config):
    """Parts of SAN.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        side: Side network.
        recognition: Recognition of masks by CLIP.
        matching: Weights of matching and losses.
        clip_scale: Size of CLIP's images as a share of that of the side network's images.
        trained_positions: Whether CLIP's positional embedding is trained, the only part of CLIP that is.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    side: SideAdapterConfig = SideAdapterConfig()
    recognition: RecognitionConfig = BiasedTokensConfig()
    matching: MaskMatchingConfig = MATCHING
    clip_scale: float = Field(default=0.5, gt=0)
    trained_positions: bool = True

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, that class embeddings fit CLIP, and that CLIP has a class token."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)
        check_class_embedding(self.clip.model, needed_by="SAN recognizes masks by copies of CLIP's class token")


class San(Method):
    """CLIP, side network, recognition and class embeddings.

    Args:
        image_encoder: CLIP's image encoder.
        text: Class embeddings.
        side: Side network.
        recognition: Recognition of masks.
        matching: Weights of matching and losses.
        clip_scale: Size of CLIP's images as a share of that of the side network's images.
        log_scale: Logarithm of CLIP's inverse temperature, ().
    """

    log_scale: Tensor

    def __init__(
        self,
        *,
        image_encoder: ClipImageEncoder,
        text: TextBank,
        side: SideAdapter,
        recognition: Recognition,
        matching: MaskMatchingConfig,
        clip_scale: float,
        log_scale: Tensor,
    ) -> None:
        super().__init__()
        self.image_encoder, self.text, self.side, self.recognition = image_encoder, text, side, recognition
        self.matching, self.clip_scale = matching, clip_scale
        self.normalize = Normalize(image_encoder.mean, image_encoder.std)
        self.no_object = nn.Parameter(torch.randn(1, text.dimension) * text.dimension**-0.5)
        self.register_buffer("log_scale", log_scale.detach().clone())
        self.stride = compute_stride(side.patch, image_encoder.patch_size, clip_scale=clip_scale)

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Match queries with the masks of seen classes, and compute the losses of each supervised layer."""
        images = stack_images(batch, stride=self.stride)
        masks, logits = self.segment(images)
        num_classes = len(self.text())
        labels = stack_labels(batch, size=images.shape[2:], num_classes=num_classes)
        return compute_matching_losses(
            logits,
            masks,
            make_mask_targets(labels, num_classes=num_classes, unlabeled=self.matching.unlabeled),
            config=self.matching,
            generator=self.step_context.generator("points"),
        )

    def predict(self, batch: Batch) -> list[Prediction]:
        """Sum the masks of each image, weighted with their probabilities of the classes."""
        return [self._predict(sample) for sample in batch]

    def segment(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Propose masks and classify them.

        Args:
            images: (B, 3, H, W), RGB in 0-255, H and W multiples of the stride.

        Returns:
            Mask logits (B, Q, h, w) and class logits (B, Q, K + 1), the last for no object, of each supervised layer
            in training, else of the last layer alone.
        """
        normalized = self.normalize(images)
        tokens, grid = self.embed(normalized)
        start, fused = self.recognition.start, self.side.blocks_of_layers.values()
        entering = run_to_blocks(self.image_encoder, tokens, grid=grid, stops=[*fused, start])
        patches = {block: entering[block][:, self.image_encoder.num_prefix :] for block in fused}
        proposals = self.side(normalized, patches, grid)
        embeddings = self.recognition(self.image_encoder, entering[start], grid=grid, proposals=proposals)
        return [layer.masks for layer in proposals], [self.classify(layer) for layer in embeddings]

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Compute CLIP's tokens before the first block and their grid from normalized images of the side network."""
        if self.clip_scale != 1:
            images = F.interpolate(images, scale_factor=self.clip_scale, mode="bilinear", align_corners=False)
        height, width = (side - side % self.image_encoder.patch_size for side in images.shape[2:])
        return self.image_encoder.embed(images[:, :, :height, :width], interpolation="bicubic")

    def classify(self, embeddings: Tensor) -> Tensor:
        """Compute scaled cosines with classes and no object: (B, Q, D) to (B, Q, K + 1)."""
        return classify_queries(embeddings, self.text(), self.no_object, scale=self.log_scale.exp())

    def _predict(self, sample: Sample) -> Prediction:
        """Predict one image: masks are resized first, then their probabilities are summed."""
        images = stack_images([sample], stride=self.stride)
        masks, logits = self.segment(images)
        classes = logits[-1][0].softmax(dim=1)[:, :-1]  # (Q, K)
        pixels = resize_to_sample(masks[-1], sample, padded=images.shape[2:]).sigmoid()
        return {"sem_seg": torch.einsum("qk,qhw->khw", classes, pixels[0])}


def build(config: SanConfig, split: TrainSplit) -> San:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    encoder = ClipImageEncoder(clip.visual)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    method = San(
        image_encoder=encoder,
        text=TextBank(embeddings),
        side=SideAdapter(config.side, clip_width=encoder.width, clip_depth=encoder.depth),
        recognition=build_recognition(config.recognition, side=config.side, encoder=encoder),
        matching=config.matching,
        clip_scale=config.clip_scale,
        log_scale=clip.logit_scale,
    )
    get_positions(encoder).requires_grad_(config.trained_positions)
    return method


def convert_official(official: Mapping[str, Tensor], method: San) -> dict[str, Tensor]:
    """Translate the names of a published checkpoint, `san_vit_b_16.pth` or `san_vit_large_14.pth`."""
    start, depth = method.recognition.start, method.image_encoder.depth
    return rename_official(official, method.state_dict(), start=start, depth=depth)


VARIANTS: dict[str, SanConfig] = {
    "SAN": SanConfig(),
    "no feature fusion": SanConfig(side=SideAdapterConfig(fusion=())),
    "fusion of the last features alone": SanConfig(side=SideAdapterConfig(fusion=((9, 3),))),
    "one head for masks and biases": SanConfig(recognition=BiasedTokensConfig(biases="masks")),
    "mask pooling, no biases": SanConfig(recognition=MaskPoolingConfig()),
    "fixed positions of CLIP": SanConfig(trained_positions=False),
    "supervision of the last layer alone": SanConfig(side=SideAdapterConfig(supervised=1)),
}

TOY_SETTINGS: Mapping[str, object] = {
    "side.width": 32,
    "side.depth": 4,
    "side.heads": 4,
    "side.patch": 8,
    "side.image_size": 64,
    "side.queries": 12,
    "side.channels": 32,
    "matching.sampling.points": 128,
    "clip_scale": 1.0,
    "matching.no_object_weight": 0.01,
}
"""Sizes for images of 64 pixels and the toy CLIP, whose last block is the one with biases; the weight of no-object was
chosen on `toybox_tune`."""

RECIPE = Recipe(
    title="SAN",
    paper="arXiv 2302.12242",
    traits=Traits(supervision=Supervision.SEEN_MASKS, cost="CLIP once, the side network once"),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=2e-3, weight_decay=1e-4),
        "*": Budget(iterations=60_000, batch_size=32, learning_rate=1e-4, weight_decay=1e-4, warmup=0, clip_norm=0.01),
    },
    presets=toy_presets(body=False, settings=TOY_SETTINGS),
    convert_official=convert_official,
)
