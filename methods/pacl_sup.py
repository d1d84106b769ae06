"""PACL-sup: the embedder of PACL (arXiv 2212.04994) trained with masks of seen classes instead of captions.

Idea: what does the embedder reach if its patches are aligned with the names of seen classes pixel by pixel? This is no
method of the paper, and never to be listed as PACL: the supervision is another one.

Supervision: masks of seen classes. Ours: the cross-entropy over scaled cosines of patches and seen class names, on
labeled pixels. As in `methods/pacl.py`: frozen CLIP, embedder, learned temperature and prediction in shifted passes.

Cost: `patches.shifts`² passes of CLIP per image.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    PixelTextConfig,
    PixelTextLoss,
    TextBank,
    TextEncoderEmbeddings,
    build_class_embeddings,
    check_embeddings_fit,
    load_clip,
    stack_images,
    stack_labels,
    toy_presets,
)
from methods.blocks.pacl import AlignedPatches, AlignedPatchesConfig, check_shifts_fit


class PaclSupConfig(Config):
    """Settings of PACL-sup.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        patches: Input of the embedder, and stride of the prediction.
        loss: Weights of the pixel-text losses.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    patches: AlignedPatchesConfig = AlignedPatchesConfig()
    loss: PixelTextConfig = PixelTextConfig(focal=0, dice=0)

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, that class embeddings and shifts fit CLIP, and that there is a loss."""
        super().check_plan(budget)
        self.loss.check_has_a_term()
        check_embeddings_fit(self.class_embeddings, self.clip)
        check_shifts_fit(self.patches, self.clip)


class PaclSup(Method):
    """Aligned patches, class embeddings and pixel-text loss."""

    def __init__(self, *, patches: AlignedPatches, text: TextBank, pixel_text: PixelTextLoss) -> None:
        super().__init__()
        self.patches, self.text, self.pixel_text = patches, text, pixel_text

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the pixel-text losses on seen labels."""
        images = stack_images(batch, stride=self.patches.encoder.patch_size)
        logits = self.patches.compute_logits(images, self.text())
        losses: Losses = self.pixel_text(
            logits, stack_labels(batch, size=images.shape[2:], num_classes=logits.shape[1])
        )
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Compare the patches of each image with the class embeddings, at a stride smaller than the patch."""
        return self.patches.predict(batch, self.text())


def build(config: PaclSupConfig, split: TrainSplit) -> PaclSup:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    return PaclSup(
        patches=AlignedPatches(ClipImageEncoder(clip.visual), config.patches),
        text=TextBank(embeddings),
        pixel_text=PixelTextLoss(config.loss),
    )


VARIANTS: dict[str, PaclSupConfig] = {
    "PACL-sup": PaclSupConfig(),
    "value-path tokens": PaclSupConfig(patches=AlignedPatchesConfig(attention="value")),
}

RECIPE = Recipe(
    title="PACL-sup",
    paper="arXiv 2212.04994",
    traits=Traits(
        supervision=Supervision.SEEN_MASKS,
        reconstruction="PACL-sup trains PACL's embedder with masks of seen classes, which the paper does not.",
        cost="CLIP 16 times, on shifted images",
    ),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=5e-4),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=5e-4),
    },
    presets=toy_presets(body=False),
)
