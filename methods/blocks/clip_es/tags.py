"""Sources of the tags of an image: the classes that get an activation map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.types import Sample
from methods.blocks.clip.attention import attend_to_itself, run_block
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.padding import Grid


class TaggedImage(NamedTuple):
    """An image and what its classes are compared with.

    Attributes:
        sample: Sample of the image.
        names: Names of the K classes.
        tokens: (1, P + N, C) before the last block of CLIP.
        grid: Grid of the N patches.
        classes: (K, D) unit vectors.
    """

    sample: Sample
    names: Sequence[str]
    tokens: Tensor
    grid: Grid
    classes: Tensor


class TagSource(ABC):
    """Source of tags."""

    @abstractmethod
    def __call__(self, image: TaggedImage) -> Tensor:
        """Return the ascending indices (T,) of the tagged classes."""


class ImageTags(TagSource):
    """The tags of the sample; those of other classes than the vocabulary's are dropped."""

    def __call__(self, image: TaggedImage) -> Tensor:
        """Return the indices (T,) of the tags.

        Raises:
            ValueError: The sample has no tags.
        """
        if "tags" not in image.sample:
            raise ValueError(
                f"image {image.sample['image_id']!r} has no tags, which the setting tags.kind 'image' needs: they are "
                "given to methods that declare Supervision.TAGS (clip_es); clip_es_tag_free has the other kinds"
            )
        tags = [index for index, name in enumerate(image.names) if name in image.sample["tags"]]
        return torch.tensor(tags, dtype=torch.long, device=image.tokens.device)


class AllTags(TagSource):
    """Every class."""

    def __call__(self, image: TaggedImage) -> Tensor:
        """Return the indices (K,)."""
        return torch.arange(len(image.names), device=image.tokens.device)


class VotedTags(TagSource):
    """The classes that the patches vote for, each for the nearest by its own value in the last block (MaskCLIP).

    Args:
        encoder: CLIP's image encoder.
        share: Share of the patches that a class needs; the class with the most votes is always tagged.
    """

    def __init__(self, encoder: ClipImageEncoder, *, share: float) -> None:
        self._encoder, self.share = encoder, share

    def __call__(self, image: TaggedImage) -> Tensor:
        """Return the indices (T,) of the classes with enough votes."""
        encoder = self._encoder
        block = encoder.list_blocks(image.grid)[-1]
        dense = run_block(block, image.tokens, attend=attend_to_itself, tail="full")[0, encoder.num_prefix :]
        cosines = F.normalize(encoder.project(dense).float(), dim=1) @ image.classes.T  # (N, K)
        votes = cosines.argmax(dim=1).bincount(minlength=len(image.names))
        return (votes >= min(self.share * len(dense), int(votes.max()))).nonzero()[:, 0]
