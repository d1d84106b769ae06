"""Files of splits, written from splits."""

from __future__ import annotations

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


def write_split(split: Split, folder: Path) -> Path:
    """Write the file of a split, unless it is there already.

    Args:
        split: Split to write.
        folder: Folder of the file; it is made if it does not exist.

    Returns:
        Path of the file, named after the split.

    Raises:
        ValueError: There is another file of this name.
        OSError: The file cannot be written.
    """
    path, text = folder / f"{split.name}.yaml", format_split(split)
    if not path.exists():
        write_new(path, text)
    elif path.read_text(encoding="utf-8", errors="replace") != text:
        raise ValueError(f"{path} exists already with other content: remove it, or give another folder")
    return path
