"""Resampled splits of a study: the same grid on many random choices of unseen classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import Field, StrictInt, field_validator

from benchmark.core.anchored_paths import anchor_yaml
from benchmark.core.split import Split, load_split
from benchmark.core.split_draw import (
    ANY_KIND,
    MAX_DRAWS,
    SplitDraw,
    check_base,
    check_kinds,
    count_sets,
    draw_unseen,
    explain_total,
)
from benchmark.utils.frozen_model import FrozenModel


class Resampling(FrozenModel):
    """Splits that are drawn at random from the classes of a base split.

    Attributes:
        of: Base split: name, or path of a YAML file.
        count: Number of splits, those of `include` among them.
        unseen: Number of unseen classes of each split, in all or by kind.
        balanced: Kinds of classes that share the unseen classes equally; if empty, they are drawn among all classes.
        seed: Seed of the draws.
        include: Names or paths of splits that come first, such as the published one; they have the classes of the base
            and as many unseen ones.
    """

    of: str
    count: int = Field(ge=1, le=MAX_DRAWS)
    unseen: int | dict[str, int]
    balanced: tuple[str, ...] = ()
    seed: StrictInt = Field(default=0, ge=0)
    include: tuple[str, ...] = ()

    @field_validator("of")
    @classmethod
    def _check_base(cls, of: str) -> str:
        check_base(of)
        return of

    @field_validator("balanced", "include", mode="before")
    @classmethod
    def _wrap_name(cls, names: Any) -> Any:
        return (names,) if isinstance(names, str) else names

    @field_validator("balanced", "include")
    @classmethod
    def _refuse_repeated(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        again = next((name for name, count in Counter(names).items() if count > 1), None)
        if again is not None:
            raise ValueError(f"{again} is given more than once: remove it")
        return names

    def list_names(self) -> tuple[str, ...]:
        """Return the names of the splits: those of `include`, then drawn ones with other unseen classes.

        Raises:
            KeyError: A split or a kind of classes is unknown; the message names the nearest.
            ValueError: The draws are impossible; the message says why.
        """
        base = load_split(self.of)
        included = {name: _load_included(name, base, num_unseen=self.num_unseen) for name in self.include}
        taken = [frozenset(split.unseen) for split in included.values()]
        if len(included) > self.count:
            raise ValueError(f"resampled: count is {self.count}, and include has {len(included)} splits: raise count")
        drawn = list(islice(self._draw_others(base, taken), self.count - len(included)))
        return (*self.include, *drawn)

    def with_paths_in(self, folder: Path) -> Resampling:
        """Return the same draws with paths that do not depend on the current folder."""
        include = tuple(anchor_yaml(name, folder) for name in self.include)
        return self.model_copy(update={"of": anchor_yaml(self.of, folder), "include": include})

    @property
    def num_unseen(self) -> int:
        """Number of unseen classes of each split."""
        return self.unseen if isinstance(self.unseen, int) else sum(self.unseen.values())

    def _draw_others(self, base: Split, taken: list[frozenset[str]]) -> Iterator[str]:
        """Yield the names of drawn splits whose unseen classes are not taken."""
        pools, counts = base.drawable, self._count_by_kind(base)
        first = SplitDraw(self.of, counts, self.seed, 0)
        draw_unseen(first, pools)  # so that an error of the first draw precedes that of their number
        total = count_sets(first, pools)
        for number in range(min(total, MAX_DRAWS)):
            draw = SplitDraw(self.of, counts, self.seed, number)
            if draw_unseen(draw, pools) not in taken:
                yield str(draw)
        raise ValueError(f"resampled: {self.count} splits of {self.of!r} are asked for, and {explain_total(total)}")

    def _count_by_kind(self, base: Split) -> tuple[tuple[str, int], ...]:
        """Return the number of unseen classes by kind, in the order of the base."""
        if isinstance(self.unseen, int) and not self.balanced:
            return ((ANY_KIND, self.unseen),)
        if isinstance(self.unseen, int):
            share, rest = divmod(self.unseen, len(self.balanced))
            if rest:
                raise ValueError(
                    f"resampled: {self.unseen} unseen classes cannot be shared equally by {', '.join(self.balanced)}: "
                    f"give a multiple of {len(self.balanced)}, or a number for each, "
                    f"unseen: {{{self.balanced[0]}: {share + 1}, …}} without balanced"
                )
            counts = dict.fromkeys(self.balanced, share)
        elif self.balanced:
            raise ValueError("resampled: unseen gives the number of each kind, so remove balanced")
        else:
            counts = self.unseen
        check_kinds(counts, base.kinds, base=self.of)
        return tuple((kind, counts[kind]) for kind in base.kinds if kind in counts)


def _load_included(name: str, base: Split, *, num_unseen: int) -> Split:
    """Load a split that stands among the drawn ones.

    Raises:
        KeyError: There is no such split.
        ValueError: The split differs from the base in more than its unseen classes.
    """
    split = load_split(name)
    if (split.dataset, split.classes) != (base.dataset, base.classes):
        what = "another dataset" if split.dataset != base.dataset else "other classes"
        raise ValueError(f"resampled: split {name!r} of include has {what} than {base.name!r}: remove it")
    used = [name for name in split.unseen if name in base.never_unseen]
    if used:
        raise ValueError(
            f"resampled: split {name!r} of include withholds {used}, which {base.name!r} lists as never_unseen: "
            "remove it"
        )
    if len(split.unseen) != num_unseen:
        raise ValueError(
            f"resampled: split {name!r} of include has {len(split.unseen)} unseen classes, and the drawn ones have "
            f"{num_unseen}: give unseen: {len(split.unseen)}, or remove it"
        )
    return split
