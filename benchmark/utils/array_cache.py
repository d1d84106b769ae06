"""Arrays that are cached between runs; the cache may be deleted at any time.

A reader gets a whole file or none, and of several writers the last one wins. A file begins with the SHA-256 of the
rest, which is an .npz archive; a file that does not match is treated as absent. A folder that is not writable causes
a warning, not a failed run.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.utils.atomic_files import open_draft
from benchmark.utils.paths import CACHE_VARIABLE, find_cache_folder

Arrays = dict[str, NDArray[Any]]
"""Arrays of any shape by name."""

_HASH_BYTES = 32

_log = logging.getLogger(__name__)


def load_arrays(name: str) -> Arrays | None:
    """Load the arrays cached under a name, of any shape; None if there is no whole file."""
    path = _make_path(name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("%s cannot be read: %s", path, error)
        return None
    if hashlib.sha256(content[_HASH_BYTES:]).digest() != content[:_HASH_BYTES]:
        _log.warning("%s is broken and will be made again", path)
        return None
    with np.load(io.BytesIO(content[_HASH_BYTES:]), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def save_arrays(name: str, arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Cache arrays under a name.

    Args:
        name: Name of the file, without a suffix.
        arrays: Arrays of any shape by name.

    Returns:
        Whether the arrays were saved; if not, a warning says why.
    """
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **arrays)
    content = archive.getvalue()
    try:
        with open_draft(_make_path(name)) as draft:
            draft.write_bytes(hashlib.sha256(content).digest() + content)
    except OSError as error:
        _log.warning("nothing is cached: %s; set %s to a folder with space", error.strerror, CACHE_VARIABLE)
        return False
    return True


def _make_path(name: str) -> Path:
    return find_cache_folder() / f"{name}.arrays"
