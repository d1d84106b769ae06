"""Side adapter network: masks proposed beside a frozen CLIP, and recognized by it (SAN, arXiv 2302.12242)."""

from __future__ import annotations

from methods.blocks.side_adapter.config import (
    BiasedTokensConfig,
    MaskPoolingConfig,
    RecognitionConfig,
    SideAdapterConfig,
    compute_stride,
)
from methods.blocks.side_adapter.network import Proposals, SideAdapter
from methods.blocks.side_adapter.official import rename_official
from methods.blocks.side_adapter.recognition import (
    Recognition,
    build_recognition,
    embed_copies,
    get_positions,
    pool_by_maximum,
    run_to_blocks,
)

__all__ = [
    "BiasedTokensConfig",
    "MaskPoolingConfig",
    "Proposals",
    "Recognition",
    "RecognitionConfig",
    "SideAdapter",
    "SideAdapterConfig",
    "build_recognition",
    "compute_stride",
    "embed_copies",
    "get_positions",
    "pool_by_maximum",
    "rename_official",
    "run_to_blocks",
]
