"""Class embeddings assigned to wrong classes, as a control experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field
from torch import Tensor

from benchmark.core.method import Config
from benchmark.core.split import Split
from benchmark.core.train_split import TrainSplit
from methods.blocks.class_embeddings.text_bank import ClassEmbeddings


class ShuffleConfig(Config):
    """Assignment of class embeddings to wrong classes.

    Attributes:
        seed: Seed of the assignment, which is the same for all training seeds.
        begin: "training", or "evaluation" to train with the correct embeddings first.
    """

    seed: int = Field(default=0, ge=0)
    begin: Literal["training", "evaluation"] = "training"

    def check_split(self, split: Split) -> None:
        """Check that every class has another one to exchange embeddings with.

        Raises:
            ValueError: The split has a single seen or a single unseen class, or none whose embedding changes.
        """
        for side, names in {"seen": split.seen, "unseen": split.unseen}.items():
            if len(names) == 1:
                raise ValueError(
                    f"split {split.name!r} has one {side} class, {names[0]!r}: shuffling needs at least two or none"
                )
        if self.begin == "evaluation" and not split.unseen:
            raise ValueError(
                f"split {split.name!r} has no unseen class, so evaluation has the vocabulary of training: set "
                "shuffle.begin to training"
            )


@dataclass(frozen=True, eq=False)
class ShuffledEmbeddings:
    """A source whose embeddings are assigned to other names. Names without a partner keep their own embedding.

    Attributes:
        source: The original source.
        get_partner: Function from a class name to the class name whose embedding it gets.
        unshuffled: A vocabulary that holds only these names gets the original embeddings.
    """

    source: ClassEmbeddings
    get_partner: Callable[[str], str]
    unshuffled: frozenset[str] = frozenset()

    @property
    def dimension(self) -> int:
        """Length D of a vector."""
        return self.source.dimension

    def embed(self, names: Sequence[str]) -> Tensor:
        """Return (K, D) embeddings of the partners of K names, or the original ones for an unshuffled vocabulary."""
        if self.unshuffled.issuperset(names):
            return self.source.embed(names)
        return self.source.embed([self.get_partner(name) for name in names])


def shuffle_class_embeddings(
    source: ClassEmbeddings, *, split: TrainSplit, config: ShuffleConfig
) -> ShuffledEmbeddings:
    """Assign to every class of a split the embedding of another class, always the same one.

    Seen classes exchange embeddings among themselves, and so do unseen classes. Training therefore depends on no unseen
    name, and the embeddings that are new at evaluation are still those of unseen classes.

    Args:
        source: The original source.
        split: Split whose classes are assigned.
        config: Seed of the assignment, and when it begins.
    """
    unshuffled = frozenset(split.seen) if config.begin == "evaluation" else frozenset[str]()
    return ShuffledEmbeddings(source, split.draw_partners("shuffled words", config.seed), unshuffled)
