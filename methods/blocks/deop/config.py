"""Configs of the parts of DeOP; reading them imports no network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from benchmark.core.method import Config
from methods.blocks.clip.architecture import read_architecture

SeveranceKind = Literal["mask weight", "mask affinity", "value"]
"""What takes the place of the attention from patch to patch, see `methods.blocks.deop.severance`."""


class SeveranceConfig(Config):
    """Patch severance in the last blocks of CLIP, arXiv 2304.01198.

    Attributes:
        kind: "mask weight" multiplies the value of a patch by the sum of its proposal masks (the generalized patch
            severance of the paper's results), "value" keeps each value as it is, and "mask affinity" mixes the values
            of patches that the same masks cover.
        blocks: Number of blocks at the end that are severed.
    """

    kind: SeveranceKind = "mask weight"
    blocks: int = Field(default=1, ge=1)


class ExtraPositionsConfig(Config):
    """Trained positional embeddings, which are added to the tokens of a frozen CLIP.

    Attributes:
        before: Blocks before which they are added, counted from 0; those of block 0 are added to CLIP's own.
        grid: Rows and columns of patches that they are trained for; they are resized to other grids.
    """

    before: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 2, 3, 4, 5), min_length=1)
    grid: int = Field(default=24, ge=1)


class AnchorsConfig(Config):
    """Classification anchor learning (CAL), arXiv 2304.01198; there is an anchor for each proposal.

    Attributes:
        layers: Decoder layers before the masked attention.
        heads: Heads of each attention.
        hidden: Width of the MLP of a decoder layer, in widths of an anchor.
        dropout: Share of values that are dropped in training.
    """

    layers: int = Field(default=1, ge=0)
    heads: int = Field(default=8, ge=1)
    hidden: float = Field(default=2.0, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    def check_clip(self, model: str) -> None:
        """Check that the heads divide the length of the embeddings of a CLIP, by the name of its architecture.

        Raises:
            ValueError: The heads do not divide it.
        """
        self.check_width(read_architecture(model).embed_dim)

    def check_width(self, dimension: int) -> None:
        """Check that the heads divide the length of an embedding.

        Raises:
            ValueError: The heads, or the 4 of positions, do not divide it.
        """
        if dimension % self.heads or dimension % 4:
            raise ValueError(
                f"anchors.heads is {self.heads}, and embeddings have {dimension} dimensions: "
                "heads and 4 must divide them, give another number"
            )


class ClassMapConfig(Config):
    """Loss of class maps x, which sum the masks of all proposals, arXiv 2304.01198.

    Attributes:
        focal: Weight of the binary focal loss.
        dice: Weight of the dice loss.
        scale: Factor s in y = sigmoid(s·x - s).
        unlabeled: "no object" if unlabeled pixels show none of the classes, as in the official code, or "ignored".
    """

    focal: float = Field(default=2.0, ge=0)
    dice: float = Field(default=0.8, ge=0)
    scale: float = Field(default=3.0, gt=0)
    unlabeled: Literal["no object", "ignored"] = "no object"


def check_blocks(model: str, *, severance: SeveranceConfig | None, positions: ExtraPositionsConfig | None) -> None:
    """Check that a CLIP has the blocks that are severed or have positions.

    Args:
        model: Name of the architecture.
        severance: Severed blocks; None for none.
        positions: Blocks with extra positions; None for none.

    Raises:
        ValueError: There are fewer blocks.
    """
    depth = read_architecture(model).depth
    if not depth:  # not known before the CLIP is built
        return
    if severance is not None and severance.blocks > depth:
        raise ValueError(
            f"severance.blocks is {severance.blocks}, and {model} has {depth} blocks: sever at most {depth}"
        )
    if positions is not None and not all(0 <= block < depth for block in positions.before):
        raise ValueError(
            f"positions.before is {list(positions.before)}, and {model} has {depth} blocks: "
            f"give numbers from 0 to {depth - 1}"
        )
