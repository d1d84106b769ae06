"""PACL: Patch Aligned Contrastive Learning (Mukhoti et al., CVPR 2023, arXiv 2212.04994).

Idea: a small embedder of CLIP's frozen patch tokens is trained with captions alone. The patches that resemble a text
are pooled for this text, and the pooled vector takes the place of CLIP's image embedding in the contrastive loss, so
that patches and texts become comparable.

Supervision: captions of whole images, no masks. Captions may name unseen classes, and those of toybox do. "captions of
seen classes" is the inductive variant: a caption is reduced to the names of seen classes that it contains (the filter
is `split.seen`), and an image whose caption contains none is left out of the loss.

RECONSTRUCTION. No official code exists; the formulas were read in summaries of the paper. Theirs: embedder, frozen
encoders, compatibility and its softmax without a temperature, symmetric InfoNCE over all pairs of a batch, learned
temperature that starts as CLIP's, stride 4 in prediction. Ours:

- Tokens: output of the last block after CLIP's final norm.
- Texts: captions as they are, one drawn for each image, where the paper puts their nouns into seven templates.
- Images with equal texts share their target, which matters for captions of seen classes in small batches.
- Stride: passes over shifted images, see `methods.blocks.pacl.shifted_passes`.
- Training: the captioned images of the dataset (1600 in toybox), where the paper has 30 million pairs and batches of
  4096. Its numbers were never reproduced in public.

Cost: `patches.shifts`² passes of CLIP per image; 16 with the paper's stride of 4 pixels and patches of 16.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

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
    ClassEmbeddingsConfig,
    ClipConfig,
    ClipImageEncoder,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    build_tokenizer,
    check_embeddings_fit,
    check_tokenizer,
    count_valid_positions,
    load_clip,
    mark_valid_positions,
    stack_images,
    toy_presets,
)
from methods.blocks.pacl import (
    AlignedPatches,
    AlignedPatchesConfig,
    CaptionEncoder,
    check_shifts_fit,
    compute_compatibility,
    compute_pair_loss,
    describe_seen,
)


class PaclConfig(Config):
    """Settings of PACL.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it. Captions are
            always encoded by CLIP.
        patches: Input of the embedder, and stride of the prediction.
        pooling_scale: Factor of the cosines in the softmax that pools the patches.
        only_seen: Whether captions are reduced to the names of seen classes.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    patches: AlignedPatchesConfig = AlignedPatchesConfig()
    pooling_scale: float = Field(default=1.0, gt=0)
    only_seen: bool = False

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that class embeddings and shifts fit CLIP."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)
        check_tokenizer(self.clip)
        check_shifts_fit(self.patches, self.clip)


class Pacl(Method):
    """Aligned patches, and the texts that they are aligned with.

    Args:
        patches: Frozen CLIP and trained embedder.
        text: Class embeddings.
        captions: CLIP's text encoder.
        pooling_scale: Factor of the cosines in the softmax that pools the patches.
        filter_names: Names that captions are reduced to; None to use captions as they are.
    """

    def __init__(
        self,
        *,
        patches: AlignedPatches,
        text: TextBank,
        captions: CaptionEncoder,
        pooling_scale: float,
        filter_names: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__()
        self.patches, self.text, self.captions = patches, text, captions
        self.pooling_scale, self.filter_names = pooling_scale, filter_names

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the InfoNCE of the images that have a text; 0 if no image has one."""
        texts = self.choose_texts(batch)
        kept = [index for index, text in enumerate(texts) if text]
        if not kept:
            patches = self.patches(stack_images(batch, stride=self.patches.encoder.patch_size))
            return {"loss_itc": 0 * (patches.sum() + self.patches.scale)}
        chosen = [texts[index] for index in kept]
        same = torch.tensor([[first == second for second in chosen] for first in chosen])
        compatibility = self.compare([batch[index] for index in kept], self.captions(chosen))
        return {
            "loss_itc": compute_pair_loss(compatibility, same=same.to(compatibility.device), scale=self.patches.scale)
        }

    def predict(self, batch: Batch) -> list[Prediction]:
        """Compare the patches of each image with the class embeddings, at a stride smaller than the patch."""
        return self.patches.predict(batch, self.text())

    def choose_texts(self, batch: Batch) -> list[str]:
        """Draw one caption of each sample, and reduce it to seen names if the config says so.

        Raises:
            ValueError: A sample has no captions.
        """
        generator, texts = self.step_context.generator("caption"), list[str]()
        for sample in batch:
            captions = sample.get("captions", ())
            if not captions:
                raise ValueError(f"sample {sample['image_id']!r} has no captions: PACL is trained with captions")
            caption = captions[int(torch.randint(len(captions), (), generator=generator))]
            texts.append(caption if self.filter_names is None else describe_seen(caption, self.filter_names))
        return texts

    def compare(self, batch: Batch, texts: Tensor) -> Tensor:
        """Compute the compatibility of N images and M texts (M, D): (N, M)."""
        stride = self.patches.encoder.patch_size
        dense = self.patches(stack_images(batch, stride=stride)).float()  # (N, D, h, w)
        grids = count_valid_positions(batch, stride=stride)
        is_valid = mark_valid_positions(grids, (dense.shape[2], dense.shape[3]), device=dense.device)
        tokens = dense.flatten(2).transpose(1, 2)  # (N, h·w, D)
        return compute_compatibility(tokens, texts, pooling_scale=self.pooling_scale, is_valid=is_valid)


def build(config: PaclConfig, split: TrainSplit) -> Pacl:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    return Pacl(
        patches=AlignedPatches(ClipImageEncoder(clip.visual), config.patches),
        text=TextBank(embeddings),
        captions=CaptionEncoder(clip, tokenizer=build_tokenizer(config.clip)),
        pooling_scale=config.pooling_scale,
        filter_names=split.seen if config.only_seen else None,
    )


VARIANTS: dict[str, PaclConfig] = {
    "PACL": PaclConfig(),
    "captions of seen classes": PaclConfig(only_seen=True),
    "value-path tokens": PaclConfig(patches=AlignedPatchesConfig(attention="value")),
    "pooling scale 10": PaclConfig(pooling_scale=10.0),
    "stride of half a patch": PaclConfig(patches=AlignedPatchesConfig(shifts=2)),
    "stride of a patch": PaclConfig(patches=AlignedPatchesConfig(shifts=1)),
}

RECIPE = Recipe(
    title="PACL",
    paper="arXiv 2212.04994",
    traits=Traits(
        supervision=Supervision.CAPTIONS,
        reconstruction="PACL is our reconstruction from summaries; the captions of the training images replace its 30 "
        "million pairs.",
        cost="CLIP 16 times, on shifted images",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=1.6e-2, weight_decay=0.2),
        "*": Budget(iterations=20_000, batch_size=256, learning_rate=5e-4, weight_decay=0.2),
    },
    presets=toy_presets(body=False, settings={"pooling_scale": 0.3}),
)
