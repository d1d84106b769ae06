"""Building of the head that a config describes."""

from __future__ import annotations

from torch import nn

from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.config import ClipConfig
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.heads.adapter import Adapter, build_norm
from methods.blocks.heads.class_token import ClassTokenSource, LearnedToken, MeanFeatureToken, NoClassToken
from methods.blocks.heads.config import CshConfig, LinearConfig, MlpConfig
from methods.blocks.heads.csh import ClipSemanticHead, check_depth
from methods.blocks.heads.head import Head, RandomlyStartedHead
from methods.blocks.heads.plain import PlainHead


def check_head_fits(config: CshConfig | LinearConfig | MlpConfig, clip_config: ClipConfig) -> None:
    """Check that a CLIP has the blocks and tokens that its head needs.

    Args:
        config: Kind and size of the head.
        clip_config: CLIP that the head is taken from.

    Raises:
        ValueError: CLIP has fewer blocks, no class token or registers, or its blocks cannot be trained.
    """
    if not isinstance(config, CshConfig):
        return
    clip = read_architecture(clip_config.model)
    if config.blocks is not None:
        check_depth(config.blocks, depth=clip.depth)
    if clip.num_prefix > 1:
        raise ValueError(f"CSH makes one class token, but {clip_config.model} also has registers: choose another head")
    if clip.num_prefix == 0 and config.class_token is not None:
        raise ValueError(
            f"head.class_token is {config.class_token!r}, but {clip_config.model} has no class token: set it to null"
        )
    if clip.is_timm and config.block_weights != "CLIP":
        raise ValueError(
            f"head.block_weights is {config.block_weights!r}, but open_clip builds the blocks of {clip_config.model} "
            "through timm: only those of its own ViT can be trained or random"
        )


def build_head(config: CshConfig | LinearConfig | MlpConfig, *, image_encoder: ClipImageEncoder, channels: int) -> Head:
    """Build the head that a config describes.

    Args:
        config: Kind and size of the head.
        image_encoder: The frozen CLIP.
        channels: Number of feature channels.
    """
    if isinstance(config, CshConfig):
        head: Head = _build_csh(config, image_encoder=image_encoder, channels=channels)
    else:
        head = _build_replacement(config, image_encoder=image_encoder, channels=channels)
    return RandomlyStartedHead(head) if config.start == "random" else head


def _build_csh(config: CshConfig, *, image_encoder: ClipImageEncoder, channels: int) -> ClipSemanticHead:
    return ClipSemanticHead(
        image_encoder,
        norm=build_norm(config.norm, channels=channels),
        adapter=Adapter(channels, image_encoder.width, layers=config.layers),
        class_token=_build_class_token(config, image_encoder=image_encoder, channels=channels),
        positions=config.positions,
        blocks=config.blocks,
        block_weights=config.block_weights,
        attention=config.attention,
        tail=config.tail,
    )


def _build_class_token(config: CshConfig, *, image_encoder: ClipImageEncoder, channels: int) -> ClassTokenSource:
    match config.class_token:
        case "mean feature":
            return MeanFeatureToken(channels, image_encoder.width)
        case "learned":
            return LearnedToken(image_encoder.tower.get_prefix()[0])
        case None:
            return NoClassToken(image_encoder.width)


def _build_replacement(
    config: LinearConfig | MlpConfig, *, image_encoder: ClipImageEncoder, channels: int
) -> PlainHead:
    dimension, norm = image_encoder.embed_dim, build_norm(config.norm, channels=channels)
    hidden: nn.Module = nn.Identity()
    if isinstance(config, MlpConfig):
        hidden = nn.Sequential(nn.Conv2d(channels, config.hidden, kernel_size=1), nn.GELU())
        project = Adapter(config.hidden, dimension, layers=1)
    else:
        project = Adapter(channels, dimension, layers=config.layers)
    return PlainHead(
        image_encoder,
        norm=norm,
        hidden=hidden,
        project=project,
        attention="vanilla" if config.start == "random" else config.start,
        tail=config.start_tail,
    )
