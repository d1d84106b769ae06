"""Sizes of an image encoder of timm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimmSizes:
    """Sizes of an image encoder of timm.

    Attributes:
        depth: Number of blocks.
        width: Length of a token.
        patch_size: Side of a patch in pixels.
        num_prefix: Number of tokens before the patches: class token and registers.
        pool: Pooling of the tokens unless open_clip asks for another one: "token", "map" or "avg".
    """

    depth: int
    width: int
    patch_size: int
    num_prefix: int
    pool: str
