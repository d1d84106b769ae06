"""Class embeddings assigned to wrong classes, as a control experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field
from torch import Tensor

from benchmark.core.method import Config
from benchmark.core.seeding import KeyedRandom
from benchmark.core.split import Split
from methods.blocks.class_embeddings.text_bank import ClassEmbeddings


class ShuffleConfig(Config):
    """Assignment of class embeddings to wrong classes.

    Attributes:
        seed: Seed of the assignment, which is the same for all training seeds.
        begin: "training", or "evaluation" to train with the correct embeddings first.
    """

    seed: int = Field(default=0, ge=0)
    begin: Literal["training", "evaluation"] = "training"


@dataclass(frozen=True, eq=False)
class ShuffledEmbeddings:
    """A source whose embeddings are assigned to other names. Names without a partner keep their own embedding.

    Attributes:
        source: The original source.
        partners: Class name to the class name whose embedding it gets.
        unshuffled: A vocabulary that holds only these names gets the original embeddings.
    """

    source: ClassEmbeddings
    partners: Mapping[str, str]
    unshuffled: frozenset[str] = frozenset()

    @property
    def dimension(self) -> int:
        """Length D of a vector."""
        return self.source.dimension

    def embed(self, names: Sequence[str]) -> Tensor:
        """Return (K, D) embeddings of the partners of K names, or the original ones for an unshuffled vocabulary."""
        if self.unshuffled.issuperset(names):
            return self.source.embed(names)
        return self.source.embed([self.partners.get(name, name) for name in names])


def shuffle_class_embeddings(source: ClassEmbeddings, *, split: Split, config: ShuffleConfig) -> ShuffledEmbeddings:
    """Assign to every class of a split the embedding of another class, always the same one.

    Seen classes exchange embeddings among themselves, and so do unseen classes. Training therefore depends on no unseen
    name, and the embeddings that are new at evaluation are still those of unseen classes.

    Args:
        source: The original source.
        split: Seen and unseen classes.
        config: Seed of the assignment, and when it begins.

    Raises:
        ValueError: The split has a single seen or a single unseen class, which has no other embedding to get.
    """
    partners: dict[str, str] = {}
    for group, names in {"seen": split.seen, "unseen": split.unseen}.items():
        if len(names) == 1:
            raise ValueError(
                f"split {split.name!r} has one {group} class, {names[0]!r}: shuffling needs at least two or none"
            )
        partners |= _draw_cycle(names, KeyedRandom("shuffled words", config.seed, group))  # part of the RNG key
    if config.begin == "evaluation" and not split.unseen:
        raise ValueError(
            f"split {split.name!r} has no unseen class, so evaluation has the vocabulary of training: set "
            "shuffle.begin to training"
        )
    unshuffled = frozenset(split.seen) if config.begin == "evaluation" else frozenset[str]()
    return ShuffledEmbeddings(source, partners, unshuffled)


def _draw_cycle(names: Sequence[str], random: KeyedRandom) -> dict[str, str]:
    """Connect all names in one random cycle, so that no name is its own partner."""
    order = random.sample(range(len(names)), len(names))
    return {names[index]: names[partner] for index, partner in zip(order, order[1:] + order[:1], strict=True)}
