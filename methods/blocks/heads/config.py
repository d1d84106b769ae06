"""Configs of the heads, and the combinations of options that make no sense."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from methods.blocks.clip.attention import Attention, Tail

ClassToken = Literal["mean feature", "learned"]
"""Token that stands for CLIP's class token in CSH: a trained linear map of the mean feature, or one learned vector."""


BlockWeights = Literal["CLIP", "CLIP, trained", "random", "random, trained"]
"""Weights of the last blocks, the final norm and the projection of CSH: frozen as in CLIP, or CLIP's as the start of
training, or random ones, which stay as they are or are trained."""


class CshConfig(Config):
    """CLIP Semantic Head: the last blocks of CLIP, frozen, after a trained adapter.

    The start is fitted to the tokens that enter these blocks, so the target of the head's output is CLIP's dense map
    under the same attention and tail.

    Attributes:
        blocks: Number of CLIP's last blocks; None for all of them (the full-CLIP head).
        block_weights: Weights of these blocks, the final norm and the projection. All but "CLIP" are for comparison.
        attention: Attention of the very last block.
        tail: What follows that attention: residual and MLP ("full"), or nothing ("reduced").
        norm: Norm of the features before the adapter; None for no norm.
        layers: Layers of the adapter: 1 for a linear map, 2 to add to that map a branch of two layers with a GELU in
            between, which is zero at the start.
        class_token: Token that the patches attend to in place of CLIP's class token, which would require CLIP's first
            blocks at test time: a trained linear map of the mean feature, or a learned vector that starts at the mean
            of CLIP's class tokens; None if patches attend to patches only.
        positions: Whether CLIP's positional embedding is added to the adapted features.
        start: "fitted" to CLIP's tokens in closed form, or "random".
    """

    kind: Literal["csh"] = "csh"
    blocks: int | None = Field(default=1, ge=1)
    block_weights: BlockWeights = "CLIP"
    attention: Attention = "query-query"
    tail: Tail = "reduced"
    norm: Literal["channel"] | None = "channel"
    layers: Literal[1, 2] = 1
    class_token: ClassToken | None = "mean feature"
    positions: bool = True
    start: Literal["fitted", "random"] = "fitted"

    def check_plan(self, budget: Budget) -> None:
        """Refuse a learned class token that no patch attends to; None is needed for a CLIP without class token.

        Raises:
            ValueError: The class token is learned, although it influences nothing.
        """
        super().check_plan(budget)
        if self.attention == "value" and self.blocks == 1 and self.class_token == "learned":
            raise ValueError(
                f"head.class_token is {self.class_token!r}, but with head.attention=value and head.blocks=1 no patch "
                "attends to the class token: leave it at its default, or choose another attention or more blocks"
            )


class _ReplacementConfig(Config):
    """Options that all replacements of CSH have.

    Attributes:
        norm: Norm of the features before the first layer; None for no norm.
        start: Attention of CLIP's last block for the dense map that the start is fitted to, or "random". A fair
            comparison with CSH needs the attention of that CSH.
        start_tail: Tail of CLIP's last block for that dense map.
    """

    norm: Literal["channel"] | None = "channel"
    start: Attention | Literal["random"] = "query-query"
    start_tail: Tail = "reduced"

    def check_plan(self, budget: Budget) -> None:
        """Refuse a tail of a dense map that nothing is fitted to.

        Raises:
            ValueError: The start is random, but the tail is not the default.
        """
        super().check_plan(budget)
        if self.start == "random" and self.start_tail != "reduced":
            raise ValueError(
                f"head.start_tail is {self.start_tail!r}, but head.start=random fits nothing to CLIP: leave out one of "
                "them"
            )


class LinearConfig(_ReplacementConfig):
    """The trained adapter of CSH alone, which maps to the embedding space: by default one linear map.

    Attributes:
        layers: Layers of the adapter, see `CshConfig`.
    """

    kind: Literal["linear"] = "linear"
    layers: Literal[1, 2] = 1


class MlpConfig(_ReplacementConfig):
    """Two trained layers, as deep as CSH but without CLIP. With a fitted start, the last layer is fitted.

    Attributes:
        hidden: Width between the layers. The first layer stays random at the start.
    """

    kind: Literal["mlp"] = "mlp"
    hidden: int = Field(default=256, ge=1)


HeadConfig = Annotated[CshConfig | LinearConfig | MlpConfig, Field(discriminator="kind")]
"""Config of a head."""
