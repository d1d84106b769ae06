"""Files of splits, written from splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmark.core.split import Split
from benchmark.utils.atomic_files import write_new

WIDTH = 116
"""Length of a line from which on a list goes on in the next one."""


def format_split(split: Split) -> str:
    """Return the text of a file that reads as a split if its stem is the name of the split."""
    fields = split.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    head = f"# {split.name}: {len(split.seen)} seen and {len(split.unseen)} unseen classes.\n"
    lists = yaml.safe_dump(fields, sort_keys=False, default_flow_style=None, width=WIDTH, allow_unicode=True)
    return head + lists


def write_splits(splits: Sequence[Split], folder: Path) -> list[Path]:
    """Write the files of splits, without those that are there already; none if one of them cannot be.

    Args:
        splits: Splits to write.
        folder: Folder of the files; it is made if it does not exist.

    Returns:
        Paths of the files, named after the splits.

    Raises:
        ValueError: Two splits have the same name, or there is another file of a name.
        OSError: A file cannot be written.
    """
    texts = {folder / f"{split.name}.yaml": format_split(split) for split in splits}
    if len(texts) < len(splits):
        names = [split.name for split in splits]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two splits are called {twice!r}: rename one of the files, or write them to two folders")
    existing = [path for path in texts if path.exists()]
    other = [path for path in existing if path.read_text(encoding="utf-8", errors="replace") != texts[path]]
    if other:
        raise ValueError(f"{other[0]} exists already with other content: remove it, or give another folder")
    for path in texts:
        if path not in existing:
            write_new(path, texts[path])
    return list(texts)
