"""Papers of users' files in a store: written so that their tables are drawn from it alone, checked, and merged.

A paper is written as data: the tables that are asked for as their file has them, and the split files that they are on,
whose paths become those in the store. Nothing of it is executed when it is read or its tables are drawn.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.paper import Paper, PaperDataset, PaperTable
from benchmark.core.paper_files import read_paper
from benchmark.core.paper_tables import NamedTable
from benchmark.core.split import load_split
from benchmark.core.table_name import is_paper_file
from benchmark.store.store import Store
from benchmark.store.stored_papers import PAPERS_FOLDER, SPLITS_FOLDER
from benchmark.utils.atomic_files import write_text
from benchmark.utils.yaml_files import format_table

MAX_BYTES = 10**6
"""Most bytes of the file of a paper or of a split."""


@dataclass(frozen=True)
class PaperMerge:
    """What becomes of a paper of the other store.

    Attributes:
        name: Name of its file.
        action: "new", "identical", "merged", "different" or "broken".
        paper: Paper to write; None if nothing is written.
        reason: Explanation in one line; may be empty.
    """

    name: str
    action: str
    paper: Paper | None = None
    reason: str = ""


def write_papers(store: Store, tables: Sequence[NamedTable]) -> None:
    """Write the papers of some tables to a store; tables of included papers need none.

    Raises:
        ValueError: Two papers, or two splits of theirs, are in files of one name.
        OSError: A file cannot be read or written.
    """
    papers: dict[Path, Paper] = {}
    for named in tables:
        if is_paper_file(named.name.paper):
            path = Path(named.name.paper).expanduser().resolve()
            raw = papers.get(path) or read_paper(path).model_copy(update={"tables": {}})
            table = _copy_splits(store, path, read_paper(path).tables[named.name.table])
            papers[path] = raw.model_copy(update={"tables": {**raw.tables, named.name.table: table}})
    for path, paper in papers.items():
        target = store.root / PAPERS_FOLDER / path.name
        if target.exists():
            raise ValueError(f"two papers are in files called {path.name}: rename one, or give their tables one by one")
        _write(target, paper)


def _write(path: Path, paper: Paper) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, format_table(paper.model_dump(mode="json", exclude_defaults=True, exclude={"name"})))


def _copy_splits(store: Store, home: Path, table: PaperTable) -> PaperTable:
    """Copy the split files of a table into a store; return the table with the paths of the copies."""

    def copy(name: str) -> str:
        file, at, draw = name.partition("@")
        if not file.endswith(".yaml"):
            return name
        source = home.parent / Path(file).expanduser()
        target = store.root / PAPERS_FOLDER / SPLITS_FOLDER / source.name
        if target.exists() and target.read_bytes() != source.read_bytes():
            raise ValueError(f"two splits are in files called {source.name}: rename one of them")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return f"{SPLITS_FOLDER}/{source.name}{at}{draw}"

    def place(dataset: PaperDataset) -> PaperDataset:
        drawn = dataset.resampled
        if drawn is not None:
            drawn = drawn.model_copy(update={"of": copy(drawn.of), "include": tuple(map(copy, drawn.include))})
        return dataset.model_copy(update={"split": copy(dataset.split), "resampled": drawn})

    return table.model_copy(update={"datasets": tuple(map(place, table.datasets))})


def check_papers(store: Store) -> None:
    """Check that the papers and splits that are kept in a store can be read.

    Raises:
        ValueError: One cannot; the message says why.
    """
    for path in _list_files(store):
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path} has more than the limit of {MAX_BYTES} bytes")
        if path.parent.name == SPLITS_FOLDER:
            load_split(str(path))
        else:
            read_paper(path)


def merge_papers(ours: Store, theirs: Store) -> list[PaperMerge]:
    """Return what becomes of each paper of the other store; nothing is written."""
    files = [path for path in _list_files(theirs) if path.parent.name != SPLITS_FOLDER]
    return [_merge_paper(ours, theirs, path) for path in files]


def write_merged(ours: Store, theirs: Store, merges: Sequence[PaperMerge]) -> None:
    """Write merged papers and the splits that our store lacks."""
    for merged in merges:
        if merged.paper is not None:
            _write(ours.root / PAPERS_FOLDER / merged.name, merged.paper)
    for path in _list_files(theirs):
        target = ours.root / path.relative_to(theirs.root)
        if path.parent.name == SPLITS_FOLDER and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _merge_paper(ours: Store, theirs: Store, path: Path) -> PaperMerge:
    target = ours.root / PAPERS_FOLDER / path.name
    try:
        other = read_paper(path)
        mine = read_paper(target) if target.exists() else other.model_copy(update={"tables": {}})
    except ValueError as error:
        return PaperMerge(path.name, "broken", reason=str(error))
    if any(_is_other_split(ours, theirs, name) for table in other.tables.values() for name in _list_splits(table)):
        return PaperMerge(path.name, "different", reason="a split of it is another one than ours of this name")
    is_joined = mine.model_copy(update={"tables": {}}) == other.model_copy(update={"tables": {}})
    if not is_joined or any(mine.tables.get(name, table) != table for name, table in other.tables.items()):
        reason = "it is another paper than ours of this name, which stays: take it into another folder (--runs)"
        return PaperMerge(path.name, "different", reason=reason)
    joined = mine.model_copy(update={"tables": {**mine.tables, **other.tables}})
    if target.exists() and joined == mine:
        return PaperMerge(path.name, "identical")
    return PaperMerge(path.name, "merged" if target.exists() else "new", joined)


def _is_other_split(ours: Store, theirs: Store, name: str) -> bool:
    first, second = (store.root / PAPERS_FOLDER / name for store in (ours, theirs))
    return first.is_file() and second.is_file() and first.read_bytes() != second.read_bytes()


def _list_splits(table: PaperTable) -> list[str]:
    """Return the split files of a table, as they are written in it."""
    drawn = [dataset.resampled for dataset in table.datasets if dataset.resampled is not None]
    names = [dataset.split for dataset in table.datasets]
    names += [name for resampled in drawn for name in (resampled.of, *resampled.include)]
    return [file for name in names if (file := name.partition("@")[0]).endswith(".yaml")]


def _list_files(store: Store) -> list[Path]:
    """Return the files of papers, then those of splits, sorted."""
    patterns = ("*.yaml", "*.yml", f"{SPLITS_FOLDER}/*.yaml")
    return [path for pattern in patterns for path in sorted((store.root / PAPERS_FOLDER).glob(pattern))]
