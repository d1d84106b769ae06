"""Building of the scores that a config describes."""

from __future__ import annotations

from methods.blocks.clip.attention import ATTENTIONS
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.dense_clip.attention_source import (
    AttentionSource,
    DistanceAttention,
    FixedAttention,
    ProxyAttention,
)
from methods.blocks.dense_clip.config import (
    DenseClipConfig,
    EarlyFusionConfig,
    FixedAttentionConfig,
    NeighborAttentionConfig,
    ProxyAttentionConfig,
    ResidualAttentionConfig,
    SelfCalibrationConfig,
)
from methods.blocks.dense_clip.early_fusion import EarlyFusionScores
from methods.blocks.dense_clip.fine_scores import FineScores
from methods.blocks.dense_clip.neighbors import make_neighbor_attention, make_neighbors_only_attention
from methods.blocks.dense_clip.proxy_models import build_proxy
from methods.blocks.dense_clip.residual_attention import Blend, ResidualAttentionScores
from methods.blocks.dense_clip.scores import DenseScores, LastBlockScores
from methods.blocks.dense_clip.self_calibration import SelfCalibratedScores


def build_scores(config: DenseClipConfig, encoder: ClipImageEncoder) -> DenseScores:
    """Build the scores of a config on a frozen image encoder."""
    dense = config.dense
    if isinstance(dense, EarlyFusionConfig):
        return _build_early_fusion(dense, config, encoder)
    if isinstance(dense, SelfCalibrationConfig):
        return _build_self_calibration(dense, config, encoder)
    if isinstance(dense, ResidualAttentionConfig):
        return _build_residual_attention(dense, config, encoder)
    return LastBlockScores(
        encoder,
        source=_build_source(dense),
        tail="reduced" if isinstance(dense, ProxyAttentionConfig) else dense.tail,
        interpolation=config.interpolation,
        temperature=config.temperature,
    )


def _build_early_fusion(dense: EarlyFusionConfig, config: DenseClipConfig, encoder: ClipImageEncoder) -> DenseScores:
    scores = EarlyFusionScores(
        encoder,
        sinkhorn=dense.sinkhorn,
        block=dense.block,
        threshold=dense.threshold,
        is_averaged=dense.mean,
        interpolation=config.interpolation,
        temperature=config.temperature,
    )
    return scores if dense.fine is None else FineScores(scores, source=_build_proxy_attention(dense.fine))


def _build_self_calibration(
    dense: SelfCalibrationConfig, config: DenseClipConfig, encoder: ClipImageEncoder
) -> DenseScores:
    return SelfCalibratedScores(
        encoder,
        before=dense.before,
        after=dense.after,
        levels=dense.levels,
        outliers=dense.outliers,
        threshold=dense.threshold,
        class_share=dense.class_share,
        interpolation=config.interpolation,
        temperature=config.temperature,
    )


def _build_residual_attention(
    dense: ResidualAttentionConfig, config: DenseClipConfig, encoder: ClipImageEncoder
) -> DenseScores:
    return ResidualAttentionScores(
        encoder,
        blocks=dense.blocks,
        residual=Blend(dense.residual.scale, dense.residual.share),
        feedback=Blend(dense.feedback.scale, dense.feedback.share) if dense.feedback is not None else None,
        threshold=dense.threshold,
        fallback=dense.fallback,
        interpolation=config.interpolation,
        temperature=config.temperature,
    )


def _build_proxy_attention(dense: ProxyAttentionConfig) -> ProxyAttention:
    return ProxyAttention(build_proxy(dense.proxy), shift=dense.shift, scale=dense.scale)


def _build_source(dense: FixedAttentionConfig | NeighborAttentionConfig | ProxyAttentionConfig) -> AttentionSource:
    if isinstance(dense, FixedAttentionConfig):
        return FixedAttention(ATTENTIONS[dense.attention])
    if isinstance(dense, ProxyAttentionConfig):
        return _build_proxy_attention(dense)
    make = make_neighbor_attention if dense.attention == "key-key" else make_neighbors_only_attention
    return DistanceAttention(make, sigma=dense.sigma)
