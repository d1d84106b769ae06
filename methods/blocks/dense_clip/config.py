"""Configs of the dense CLIP family: attention and tail of the last block, positions and temperature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from benchmark.core.split import Split
from methods.blocks.class_embeddings import ClassEmbeddingsConfig, TextEncoderEmbeddings, check_embeddings_fit
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.clip.config import ClipConfig
from methods.blocks.clip.plan_checks import check_class_embedding
from methods.blocks.clip.positions import Interpolation
from methods.blocks.dense_clip.early_fusion import Sinkhorn
from methods.blocks.dense_clip.proxy_models import ProxyModelConfig, TimmProxyConfig
from methods.blocks.refinement import PamrConfig

BlockIndex = Annotated[int, Field(ge=0)]
"""Index of a block of CLIP, from 0."""


class FixedAttentionConfig(Config):
    """The same attention for all images.

    Attributes:
        attention: Attention of the last block.
        tail: What follows it.
    """

    kind: Literal["fixed"] = "fixed"
    attention: Attention = "vanilla"
    tail: Tail = "full"


class NeighborAttentionConfig(Config):
    """An attention with a Gaussian of the distance of patches (NACLIP, arXiv 2404.08181).

    Attributes:
        attention: "key-key" to add the Gaussian to the logits of keys, "none" for the Gaussian alone.
        sigma: Standard deviation in patches.
        tail: What follows the attention.
    """

    kind: Literal["neighbors"] = "neighbors"
    attention: Literal["key-key", "none"] = "key-key"
    sigma: float = Field(default=5.0, ge=0.01, le=1e4)
    tail: Tail = "reduced"


class ProxyAttentionConfig(Config):
    """An attention by the similarity of another model's features (ProxyCLIP, arXiv 2408.04883), with the reduced tail.

    Attributes:
        proxy: The other model.
        shift: Factor (beta in the paper) of the mean similarity.
        scale: Factor of what is above it (gamma in the paper).
    """

    kind: Literal["proxy"] = "proxy"
    proxy: ProxyModelConfig = TimmProxyConfig()
    shift: float = Field(default=1.2, ge=-100, le=100)
    scale: float = Field(default=3.0, gt=0, le=1e4)


class EarlyFusionConfig(Config):
    """Tokens and attention of earlier blocks (CLIPer, arXiv 2411.13836), with the reduced tail.

    Attributes:
        sinkhorn: Scaling of the fused attention: one more round for each embedding, as in the official code, or one.
        block: Block whose probabilities the fused attention spreads, counted from the end if negative.
        threshold: Share of a class's maximum below which these probabilities are dropped.
        mean: Whether the mean of the probabilities of all blocks is added.
        fine: Another model, whose similarities make the scores finer; None for none.
    """

    kind: Literal["early fusion"] = "early fusion"
    sinkhorn: Sinkhorn = "code"
    block: int = -1
    threshold: float = Field(default=0.2, ge=0, le=1)
    mean: bool = True
    fine: ProxyAttentionConfig | None = None


class SelfCalibrationConfig(Config):
    """Tokens that intermediate features calibrate (SC-CLIP, arXiv 2411.15869), with the reduced tail.

    Attributes:
        before: Index of the block whose output says what is averaged before the last block and attended to in it.
        after: Index of the block whose output says what is averaged after it; None to average nothing then.
        levels: Indices of the blocks whose outputs are added; empty for none.
        outliers: Share of the tokens that are replaced by their neighbors as outliers.
        threshold: Similarity below which positions are not averaged.
        class_share: Share of the class token that is added to the output of the last block.
    """

    kind: Literal["self-calibration"] = "self-calibration"
    before: int = Field(default=8, ge=0)
    after: int | None = Field(default=3, ge=0)
    levels: tuple[BlockIndex, ...] = (3, 4, 5, 6, 7, 8, 9)
    outliers: float = Field(default=0.05, ge=0, lt=1)
    threshold: float = Field(default=0.4, ge=-1, le=1)
    class_share: float = Field(default=0.3, ge=0, le=100)


class BlendConfig(Config):
    """Blend of two attentions or logits, scale·((1 - share)·first + share·second).

    Attributes:
        scale: Factor of the blend.
        share: Share of the second.
    """

    scale: float = Field(default=2.0, gt=0, le=1e4)
    share: float = Field(default=0.3, ge=0, le=1)


class ResidualAttentionConfig(Config):
    """An attention that intermediate blocks and a first segmentation correct (ResCLIP, arXiv 2411.15851).

    Attributes:
        blocks: Indices of the intermediate blocks; empty for none.
        residual: Blend of the attention with theirs.
        feedback: Blend of the logits with what a first segmentation suggests; None for no feedback.
        threshold: Probability below which a pixel of the first segmentation is unsure.
        fallback: Index of the class that unsure pixels get, such as background; None for a label of their own.
    """

    kind: Literal["residual attention"] = "residual attention"
    blocks: tuple[BlockIndex, ...] = (5, 6, 7, 8)
    residual: BlendConfig = BlendConfig()
    feedback: BlendConfig | None = BlendConfig(scale=2.2, share=0.7)
    threshold: float = Field(default=0.5, ge=0, le=1)
    fallback: int | None = Field(default=None, ge=0)

    def check_split(self, split: Split) -> None:
        """Check that the fallback is a class.

        Raises:
            ValueError: It is not.
        """
        if self.fallback is not None and self.fallback >= len(split.classes):
            raise ValueError(
                f"dense.fallback is {self.fallback}, expected an index of the {len(split.classes)} classes, or null"
            )


DenseAttentionConfig = Annotated[
    FixedAttentionConfig
    | NeighborAttentionConfig
    | ProxyAttentionConfig
    | EarlyFusionConfig
    | SelfCalibrationConfig
    | ResidualAttentionConfig,
    Field(discriminator="kind"),
]
"""Config of the last block: its attention and tail, and what of the earlier blocks enters it."""


class DenseClipConfig(Config):
    """A frozen CLIP that labels every patch.

    Attributes:
        clip: Frozen CLIP.
        class_embeddings: Source of class embeddings: CLIP's text encoder, or a file that must fit it.
        dense: Attention of the last block and what follows it.
        interpolation: Interpolation of CLIP's positions on another grid than the trained one.
        temperature: Inverse temperature of the logits.
        refinement: Averaging of scores over neighboring pixels of a similar color; None for none.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"words": "class_embeddings"}

    clip: ClipConfig = ClipConfig()
    class_embeddings: ClassEmbeddingsConfig = TextEncoderEmbeddings()
    dense: DenseAttentionConfig = FixedAttentionConfig()
    interpolation: Interpolation = "DINO"
    temperature: float = Field(default=40.0, gt=0, le=1e4)
    refinement: PamrConfig | None = None

    def check_plan(self, budget: Budget) -> None:
        """Check the parts, and that class embeddings fit CLIP."""
        super().check_plan(budget)
        check_embeddings_fit(self.class_embeddings, self.clip)
        _check_blocks(self.dense, depth=read_architecture(self.clip.model).depth)
        if isinstance(self.dense, SelfCalibrationConfig) and self.dense.class_share:
            advice = "SC-CLIP adds a share of the class token (dense.class_share=0 switches it off)"
            check_class_embedding(self.clip.model, needed_by=advice)


def _check_blocks(dense: DenseAttentionConfig, *, depth: int) -> None:
    """Check that CLIP has the blocks that a config names.

    Raises:
        ValueError: It has fewer.
    """
    if isinstance(dense, EarlyFusionConfig) and not -depth <= dense.block < depth:
        raise ValueError(f"dense.block is {dense.block}, expected {-depth} to {depth - 1}: CLIP has {depth} blocks")
    named: list[tuple[str, int]] = []
    if isinstance(dense, SelfCalibrationConfig):
        named = [("before", dense.before), *(("levels", index) for index in dense.levels)]
        named += [] if dense.after is None else [("after", dense.after)]
    if isinstance(dense, ResidualAttentionConfig):
        named = [("blocks", index) for index in dense.blocks]
    for name, index in named:
        if named.count((name, index)) > 1:
            raise ValueError(f"dense.{name} names block {index} twice: name each block once")
        if not 0 <= index < depth - 1:
            raise ValueError(
                f"dense.{name} names block {index}, expected 0 to {depth - 2}: CLIP has {depth} blocks, and the "
                "last one is replaced"
            )
