"""Where a method's words come from, as a part of its config: a text tower or a file; and wrong words, as a control."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from torch import Tensor

from benchmark.core.method import Config
from benchmark.core.seeding import KeyedRandom
from benchmark.core.split import Split
from methods.blocks.class_embeddings.embedding_file import (
    must_agree,
    must_be_in_order,
    must_share_space,
    read_names,
    read_words,
)
from methods.blocks.class_embeddings.text_bank import Tower, Words
from methods.blocks.clip.config import RANDOM, Clip, ClipConfig, load_clip


class TowerWords(Config):
    """The text tower of the method's CLIP, with the split's prompts."""

    kind: Literal["tower"] = "tower"


class FileWords(Config):
    """Vectors that a text encoder gave before; `words={kind: file, file: x.npy}` on the command line.

    Attributes:
        file: an .npy of shape (names, D), unit length, see `methods.blocks.class_embeddings.embedding_file`.
        names: a text file with one class name a line, or the name or path of a split with its classes in the order of
            the rows; where it is empty, the text file beside `file`. Rows are looked up by name, so any order serves.
        order: "checked", or "trusted" where names and rows belong together although the checks think otherwise, such as
            vectors drawn at random.
        sha256: of the vectors and names, filled in when the config is made: a run is of this content, and is refused
            where the file has another one later.
    """

    kind: Literal["file"] = "file"
    file: str
    names: str = ""
    order: Literal["checked", "trusted"] = "checked"
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _content_is_named(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not isinstance(given.get("file"), str):
            return given
        found = _sha256(given["file"], str(given.get("names", "")))
        if given.get("sha256", "") not in ("", found):
            raise ValueError(f"words file {given['file']} or its names changed since this was planned: plan it again")
        return {**given, "sha256": found}


WordsConfig = Annotated[TowerWords | FileWords, Field(discriminator="kind")]


def _sha256(file: str, names: str) -> str:
    try:
        content = Path(file).read_bytes() + b"\0" + "\n".join(read_names(file, names)).encode()
    except OSError as error:
        raise ValueError(f"words file {file} cannot be read: {error.strerror}; give the path of an .npy") from error
    except KeyError as error:
        raise ValueError(error.args[0]) from error
    return hashlib.sha256(content).hexdigest()


def open_words(config: TowerWords | FileWords, *, clip: ClipConfig, split: Split, loaded: Clip | None = None) -> Words:
    """The source of words of a method.

    Args:
        clip: whose text tower gives the words; loaded only where `config` asks for it.
        split: its prompts are what the tower reads, its classes are what a file must have.
        loaded: that CLIP, where the method has it anyway; then a file's words must fit it.

    Raises:
        KeyError: a file lacks a class; names the nearest.
        ValueError: a file is broken, of another length of vectors than `loaded`, or not in the order of its names.
    """
    if isinstance(config, TowerWords):
        return Tower(load_clip(clip) if loaded is None else loaded, split.prompts)
    words = read_words(config.file, config.names)
    words.vectors(split.classes)
    tower = None if loaded is None else Tower(loaded, split.prompts)
    if tower is not None:
        must_share_space(words, tower)
    if config.order == "checked" and tower is not None and clip.weights != RANDOM:
        must_agree(words, tower)
    elif config.order == "checked":
        must_be_in_order(words)
    return words


class ShuffleConfig(Config):
    """Words handed to the wrong classes, as a control.

    Attributes:
        seed: of the draw, the same for all seeds of training.
        begin: with "training", or only with "scoring", after the right words were learnt.
    """

    seed: int = Field(default=0, ge=0)
    begin: Literal["training", "scoring"] = "training"


@dataclass(frozen=True, eq=False)
class ShuffledWords:
    """A source whose words went to other names. Names without a partner keep their own word.

    Attributes:
        words: the source.
        partner: whose word a name gets.
        spared: vocabularies of these names alone keep their words.
    """

    words: Words
    partner: Mapping[str, str]
    spared: frozenset[str] = frozenset()

    @property
    def dimension(self) -> int:
        """Length D of a vector."""
        return self.words.dimension

    def vectors(self, names: Sequence[str]) -> Tensor:
        """(K, D): the words of the partners, or right ones for a vocabulary that is spared."""
        if self.spared.issuperset(names):
            return self.words.vectors(names)
        return self.words.vectors([self.partner.get(name, name) for name in names])


def shuffle_words(words: Words, *, split: Split, config: ShuffleConfig) -> ShuffledWords:
    """Give every class of a split the word of another one, always the same.

    Seen classes exchange words among themselves, and unseen ones among themselves. So what is trained on depends on no
    unseen name, and the words that are new at evaluation are still the unseen ones.

    Raises:
        ValueError: a single class is seen, or unseen: there is no wrong word for it.
    """
    groups = {"seen": split.seen, "unseen": split.unseen}
    partner: dict[str, str] = {}
    for group, names in groups.items():
        if len(names) == 1:
            raise ValueError(f"split {split.name!r} has one {group} class, {names[0]!r}: its word cannot be another's")
        partner |= _derangement(names, KeyedRandom("shuffled words", config.seed, group))
    if config.begin == "scoring" and not split.unseen:
        raise ValueError(f"split {split.name!r} has no unseen class: nothing tells its scoring from its training")
    return ShuffledWords(words, partner, frozenset(split.seen) if config.begin == "scoring" else frozenset())


def _derangement(names: Sequence[str], draws: KeyedRandom) -> dict[str, str]:
    """One cycle through all names in random order: none keeps its own."""
    order = draws.sample(range(len(names)), len(names))
    return {names[one]: names[other] for one, other in zip(order, order[1:] + order[:1], strict=True)}
