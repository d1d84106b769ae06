"""Identities of files: texts that change with every write, found without reading the file.

An identity is the inode, the size, and the times of the last change of the content and of the file. The last of these,
which the kernel sets, cannot be set back: a file that was edited with its size and its visible time kept has another
identity, and so has one that was replaced, renamed, linked or given other permissions. A file that changed moments ago
may change again within one tick of the clock; see `is_settled`. What no identity shows is a disk that returns other
bytes than were written, and a clock that was set back to the nanosecond. `verify`, `show` and `import` read the files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

SETTLED_NS = 3 * 10**9
"""Age from which on a file system must tell a further change by another time."""


class Identities:
    """Identities of files that are looked at in the course of one command.

    Attributes:
        latest_ns: Time of the latest change of any of the files, in nanoseconds since 1970.
        size: Bytes of all files together.
    """

    def __init__(self) -> None:
        self.latest_ns = 0
        self.size = 0

    def identify(self, path: str | os.PathLike[str]) -> str:
        """Return the identity of a file; empty if there is none or if it cannot be looked at."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return ""
        self.latest_ns = max(self.latest_ns, status.st_ctime_ns)
        self.size += status.st_size
        return f"{status.st_ino:x}.{status.st_size:x}.{status.st_mtime_ns:x}.{status.st_ctime_ns:x}"

    def identify_all(self, paths: Iterable[str]) -> str:
        """Return the identities of files as one text."""
        return " ".join(self.identify(path) or "-" for path in paths)

    @property
    def is_settled(self) -> bool:
        """Whether the last change is long enough ago for another one to show; False if it is in the future."""
        return time.time_ns() - self.latest_ns > SETTLED_NS
