"""Names of papers' tables in parts: paper, table, and changed settings such as +max_images=40+budget.iterations=2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

OPTIONS = {"max_images": "--max-images", "protocol": "--protocol", "engine": "--engine"}
"""Options of `run` by the field that they change; other changes are those of --set."""


@dataclass(frozen=True)
class TableName:
    """Name of a table.

    Attributes:
        paper: Name of the paper, or path of its file.
        table: Name of the table.
        change: Changed settings as in the names of plans, from the first + on; empty for the table as it is.
    """

    paper: str
    table: str
    change: str = ""

    @property
    def plan(self) -> str:
        """Name of the plan of the table on its own splits."""
        paper = Path(self.paper).stem if is_paper_file(self.paper) else self.paper
        return f"{spell_paper(paper)}.{self.table}"

    def __str__(self) -> str:
        """Return the name as it is on every machine: that of a file has no folder."""
        paper = Path(self.paper).name if is_paper_file(self.paper) else spell_paper(self.paper)
        return f"{paper}/{self.table}{self.change}"

    def name_plan(self, splits: Sequence[str] = ()) -> str:
        """Return the name of the plan on some splits; on those of the table if none are given."""
        return ".".join([self.plan, *(re.sub(r"[^A-Za-z0-9_=-]+", "-", Path(split).stem) for split in splits)])

    def select_plans(self, plans: Iterable[str]) -> list[str]:
        """Return those of some plans that are of this table, the one on its own splits first."""
        own = []
        for plan in plans:
            name, plus, change = plan.partition("+")
            is_own = name == self.plan or name.startswith(f"{self.plan}.")
            if is_own and _share_changes(f"{plus}{change}", self.change):
                own.append(plan)
        return sorted(own, key=lambda plan: (len(plan), plan))

    def list_changed(self, plans: Iterable[str]) -> list[str]:
        """Return the names that this table has with the changed settings of some plans, each once."""
        pairs = [plan.partition("+") for plan in plans]
        changes = [
            f"+{change}"
            for name, plus, change in pairs
            if plus and (name == self.plan or name.startswith(f"{self.plan}."))
        ]
        return [f"{replace(self, change='')}{change}" for change in dict.fromkeys(changes)]

    @property
    def run_words(self) -> list[str]:
        """Words behind `chimera-bench run` that compute the table, its changed settings as options."""
        return [str(replace(self, change="")), *_list_change_options(self.change)]


def is_paper_file(name: str) -> bool:
    """Return whether a paper is named by the path of its file."""
    return name.endswith((".yaml", ".yml"))


def spell_paper(name: str) -> str:
    """Return a paper as it is named on the command line: "chimera-seg" for chimera_seg.yaml, a path as it is."""
    return name if is_paper_file(name) else name.replace("_", "-")


def _share_changes(first: str, second: str) -> bool:
    """Return whether two texts name the same changes, such as "+a=1+b=2" and "+b=2+a=1"."""
    return sorted(first.split("+")) == sorted(second.split("+"))


def _list_change_options(change: str) -> list[str]:
    """Return the options of `run` that make changes, as far as their text says: names leave out rare characters.

    Args:
        change: Changes from the first + on; empty for none.
    """
    pairs = [part.partition("=") for part in change.split("+") if part]
    words: Sequence[tuple[str, ...]] = [
        (OPTIONS[key], value) if key in OPTIONS else ("--set", f"{key}={value}") for key, _, value in pairs
    ]
    return [word for some in words for word in some]
