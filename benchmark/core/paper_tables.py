"""Names of tables of papers, PAPER/TABLE: what they stand for, the study behind a table, and its plans in a store.

`chimera-seg/main` is the table "main" of `benchmark/papers/chimera_seg.yaml`, `my_paper.yaml/main` that of a file. A
change of its settings is written behind it, as it is behind the name of a study: `chimera-seg/main+max_images=40`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from benchmark.core.paper import Paper, PaperDataset, PaperTable
from benchmark.core.paper_files import PAPERS, anchor_table, find_paper, list_papers, read_paper
from benchmark.core.paper_row import PaperRow
from benchmark.core.split import name_split
from benchmark.core.study import Study, StudyRow
from benchmark.core.table_name import TableName, is_paper_file, spell_paper
from benchmark.utils.did_you_mean import explain_unknown_name, find_near_name
from benchmark.utils.yaml_files import read_table

FILE = re.compile(r"(?P<paper>.*\.ya?ml)/(?P<table>[^/]*)")


@dataclass(frozen=True)
class NamedTable:
    """A table with its paper and its name.

    Attributes:
        name: Name.
        paper: Paper, with paths as its file has them.
        table: Table, with paths that do not depend on the current folder.
        rows_digest: Digest of the rows, see `PaperTable.digest_rows`: that of the plans that were made from them.
    """

    name: TableName
    paper: Paper
    table: PaperTable
    rows_digest: str = ""

    @property
    def title(self) -> str:
        """Caption."""
        return f"{self.paper.title}: {self.table.title}"

    def with_columns(self, keys: Sequence[str]) -> NamedTable:
        """Return the table with other columns; with its own if there are no keys."""
        if not keys:
            return self
        return replace(self, table=self.table.model_copy(update={"columns": tuple(keys)}))


def choose_datasets(named: NamedTable, split: str = "") -> tuple[PaperDataset, ...]:
    """Return the datasets of a table, or those on a split.

    Args:
        named: Table.
        split: Name or pattern of the only splits to take, also one that the table does not have: then our runs on it
            are the only column. Empty for all datasets of the table.
    """
    if not split:
        return named.table.datasets
    wanted = split if set(split) & set("*?[") else name_split(split)
    fitting = [dataset for dataset in named.table.datasets if any(fnmatchcase(name, wanted) for name in dataset.splits)]
    return tuple(fitting) or (PaperDataset(label=wanted, split=split),)


def list_tables(folder: Path = PAPERS) -> list[str]:
    """Return the names of the tables of the included papers."""
    return [f"{spell_paper(name)}/{table}" for name in list_papers(folder) for table in _list_own_tables(name, folder)]


def is_table(text: str, folder: Path = PAPERS) -> bool:
    """Return whether a text names a table: one of an included paper, or anything in a YAML file."""
    if FILE.fullmatch(text):
        return True
    paper, _, rest = text.partition("/")
    stem = paper.replace("-", "_")
    return stem in list_papers(folder) and rest.partition("+")[0] in _list_own_tables(stem, folder)


def explain_missing_table(text: str, folder: Path = PAPERS) -> str:
    """Return one line about a table that an included paper does not have; empty if the text names no paper.

    A text that may as well name a variant of a method is one about a table only if a table has nearly this name.
    """
    paper, slash, table = text.partition("/")
    stem = paper.replace("-", "_")
    if not slash or stem not in list_papers(folder):
        return ""
    known = _list_own_tables(stem, folder)
    if table.partition("+")[0] in known or (paper == stem and find_near_name(table, known) is None):
        return ""
    return explain_unknown_name(f"table of paper {spell_paper(paper)}", table, known)


def explain_whole_paper(text: str, folder: Path = PAPERS) -> str:
    """Return one line about a text that names a paper and none of its tables; empty if the text names no paper."""
    stem = text.replace("-", "_")
    if is_paper_file(text):
        tables = _list_file_tables(Path(text).expanduser())
    else:
        tables = _list_own_tables(stem, folder) if stem in list_papers(folder) else []
    names = ", ".join(f"{spell_paper(text)}/{table}" for table in tables)
    return f"{text!r} is a paper: give one of its tables: {names}" if names else ""


def read_name(text: str) -> TableName:
    """Return the name of a table in its parts; `is_table` must hold."""
    match = FILE.fullmatch(text)
    paper, rest = (match["paper"], match["table"]) if match else (text.partition("/")[0], text.partition("/")[2])
    table, plus, change = rest.partition("+")
    return TableName(paper, table, f"{plus}{change}")


def spell_planned_table(text: str, plan: str, splits: Sequence[str], *, own: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the words behind `chimera-bench table` that print what was planned; the plan alone if a text is no table.

    Args:
        text: Name that the user gave.
        plan: Name of the plan.
        splits: Splits that the user gave; none for those of the table.
        own: Splits of the table.
    """
    if not is_table(text):
        return (plan,)
    name, (base, plus, change) = read_name(text), plan.partition("+")
    is_own = set(map(name_split, splits)) <= set(map(name_split, own))
    if base != name.name_plan(splits) or (len(splits) > 1 and not is_own):
        return (plan,)
    paper = text.rpartition("/")[0]
    return (f"{paper}/{name.table}{plus}{change}", *(["--split", *splits] if len(splits) == 1 else []))


def load_table(text: str, folder: Path = PAPERS) -> NamedTable:
    """Read a table by its name.

    Raises:
        KeyError: There is no such paper or table; the message names the nearest.
        ValueError: The file is not a valid paper; the message says why.
    """
    name = read_name(text)
    path = find_paper(name.paper, folder)
    paper = read_paper(path)
    if name.table not in paper.tables:
        raise KeyError(explain_unknown_name(f"table of paper {spell_paper(name.paper)}", name.table, paper.tables))
    table = paper.tables[name.table]
    return NamedTable(name, paper, anchor_table(table, path.parent.absolute()), table.digest_rows())


def make_table_study(named: NamedTable, splits: Sequence[str] = ()) -> Study:
    """Return the study that computes the rows of a table.

    Args:
        named: Table.
        splits: Names or paths of other splits than those of the table.

    Raises:
        ValueError: No row of the table is a method, or the table has no split of its own and none is given.
    """
    table, places = named.table, tuple(splits) or named.table.splits
    if not table.own_rows or not places:
        what = "row with a method" if places else "split of ours: give --split NAME"
        raise ValueError(f"table {named.name} has no {what}")
    return Study(
        name=named.name.name_plan(splits),
        title=named.title,
        rows=tuple(study_row for row in table.own_rows for study_row in _make_rows(row, places)),
        baseline=table.baseline if table.baseline in {row.label for row in table.own_rows} else "",
        split=places,
        seeds=table.seeds,
        protocol=table.protocol,
        set=table.set,
    )


def _make_rows(row: PaperRow, splits: Sequence[str]) -> list[StudyRow]:
    """Return one study row for every different set of overrides."""
    groups: list[tuple[dict[str, object], list[str]]] = []
    for split in splits:
        overrides = row.get_overrides(Path(split).stem if split.endswith(".yaml") else split)
        same = next((places for known, places in groups if known == overrides), None)
        if same is None:
            groups.append((overrides, [split]))
        else:
            same.append(split)
    return [
        StudyRow(method=row.method, label=row.label, set=overrides, split=tuple(places), protocol=row.protocol)
        for overrides, places in groups
    ]


def _list_own_tables(paper: str, folder: Path) -> list[str]:
    tables = read_table(folder / f"{paper}.yaml", kind="paper").get("tables")
    return list(tables) if isinstance(tables, dict) else []


def _list_file_tables(path: Path) -> list[str]:
    """Return the names of the tables in a YAML file; none if it is no paper."""
    try:
        tables = read_table(path, kind="paper").get("tables") if path.is_file() else None
    except ValueError:  # who reads the file as a study says why
        return []
    return list(tables) if isinstance(tables, dict) else []
