"""Check of the file of pixel counts that is cheap enough for every run of a store."""

from __future__ import annotations

import zipfile
from pathlib import Path

from benchmark.utils.atomic_files import check_readable, describe_unreadable


def check_counts_file(path: Path) -> None:
    """Check that a file of counts can be opened and has the end of a whole one, without reading the rest.

    A file that was cut short, or holds something else, does not pass. Other damage shows when the counts are read.

    Raises:
        UnreadableError: The file exists and cannot be read.
        FileNotFoundError: There is no such file.
        ValueError: It is no whole file of counts.
    """
    check_readable(path)
    try:
        is_whole = zipfile.is_zipfile(path)
    except OSError as error:
        raise ValueError(describe_unreadable(path, error)) from error
    if not is_whole:
        raise ValueError(
            f"{path} does not hold counts (it was cut short or is another file): copy it again from the machine that "
            "ran it, or repeat it with --retry-failed"
        )
