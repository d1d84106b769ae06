"""Configs that the members of ZegCLIP's family share, and the parts that are built from them."""

from __future__ import annotations

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from benchmark.core.train_split import TrainSplit
from methods.blocks.class_embeddings import (
    ClassEmbeddings,
    ClassEmbeddingsConfig,
    TextEncoderEmbeddings,
    build_class_embeddings,
    check_embeddings_fit,
)
from methods.blocks.clip import ClipConfig, ClipImageEncoder, load_clip
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.mask_decoder import MaskDecoderConfig
from methods.blocks.prompted_clip.config import PromptedClipConfig
from methods.blocks.prompted_clip.objective import MaskObjectiveConfig, SigmoidConfig


class PromptedSegmenterConfig(Config):
    """Config of the parts that all members of the family have.

    Attributes:
        clip: CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        encoder: Adaptation of CLIP's image encoder.
        loss: Loss of the masks.
    """

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    encoder: PromptedClipConfig = PromptedClipConfig()
    loss: MaskObjectiveConfig = SigmoidConfig()

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that class embeddings and prompts fit CLIP."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)
        if self.encoder.prompts is not None:
            self.encoder.prompts.check_depth(read_architecture(self.clip.model).depth)


class MaskSegmenterConfig(PromptedSegmenterConfig):
    """Config of the members of the family that have ZegCLIP's decoder.

    Attributes:
        decoder: Queries and decoder of masks.
    """

    decoder: MaskDecoderConfig = MaskDecoderConfig()

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that the heads of the decoder fit CLIP."""
        super().check_plan(budget)
        self.decoder.check_width(read_architecture(self.clip.model).embed_dim)


def build_encoder_and_embeddings(
    config: PromptedSegmenterConfig, split: TrainSplit
) -> tuple[ClipImageEncoder, ClassEmbeddings]:
    """Load CLIP, and return its image encoder and the source of class embeddings."""
    clip = load_clip(config.clip)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    return ClipImageEncoder(clip.visual), embeddings
