"""Papers of users' files that are kept in a store, such as those from an archive of results.

    ROOT/papers/<file>.yaml          a paper, whose tables are called <file>.yaml/TABLE, as where it was written
    ROOT/papers/splits/<file>.yaml   a split in a file of its own that its tables are on

A file of the name in the current folder comes first. No run needs this module, so that a change of it makes no result
stale.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmark.core.paper_tables import NamedTable, is_table, load_table, read_name
from benchmark.core.table_name import TableName, is_paper_file
from benchmark.store.store import Store

PAPERS_FOLDER, SPLITS_FOLDER = "papers", "splits"


def locate_table(store: Store, text: str) -> str:
    """Return the name of a table with the path of its file in the store, if it is only there; any other text as it is.

    Args:
        store: Store that may have the paper.
        text: PAPER/TABLE, or anything else.
    """
    if not is_table(text):
        return text
    name = read_name(text)
    stored = locate_paper(store, name)
    is_stored = is_paper_file(name.paper) and not Path(name.paper).expanduser().is_file() and stored.is_file()
    return f"{stored}/{name.table}{name.change}" if is_stored else text


def locate_paper(store: Store, name: TableName) -> Path:
    """Return where a store has the paper of a table, whether it does or not."""
    return store.root / PAPERS_FOLDER / Path(name.paper).name


def load_store_table(store: Store, text: str) -> NamedTable:
    """Read a table by its name, from a file of the user, the included papers or the store.

    Raises:
        KeyError: There is no such paper or table; the message names the nearest.
        ValueError: The file is not a valid paper; the message says why.
    """
    return load_table(locate_table(store, text))


def is_stored(store: Store, named: NamedTable) -> bool:
    """Return whether a table is of a paper that is kept in the store; nothing of it is planned or imported."""
    return Path(named.name.paper) == locate_paper(store, named.name)


def load_archived_table(store: Store, text: str) -> NamedTable:
    """Read a table by its name; one of a user's file from the store alone, whatever is in the current folder.

    Raises:
        KeyError: There is no such paper or table; the message names the nearest.
        ValueError: The file is not a valid paper; the message says why.
    """
    name = read_name(text)
    if not is_paper_file(name.paper):
        return load_table(text)
    stored = replace(name, paper=str(locate_paper(store, name)))
    return load_table(f"{stored.paper}/{stored.table}{stored.change}")


def find_table(store: Store, text: str) -> NamedTable | None:
    """Read a table by its name; None if a text names none, or if its file is gone.

    Raises:
        ValueError: The file is not a valid paper; the message says why.
    """
    if "/" not in text or not is_table(text):
        return None
    try:
        return load_store_table(store, text)
    except KeyError:
        return None
