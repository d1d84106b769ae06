"""Arrays kept between runs: a convenience that may vanish, never a source of truth.

A reader finds a whole file or none, and of several writers the last one wins. A file begins with the SHA-256 of the
rest (an .npz archive); one that does not match reads as absent. A folder that cannot be written to costs a warning,
not the run.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.utils.atomic_files import open_draft

VARIABLE = "CHIMERA_BENCH_CACHE"

Arrays = dict[str, NDArray[Any]]

_HASH_BYTES = 32

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where kept files go: $CHIMERA_BENCH_CACHE, else chimera-bench in $XDG_CACHE_HOME, else in ~/.cache.

    A user without a home has the folder for temporary files.
    """
    own, shared = os.environ.get(VARIABLE), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own)
    home = Path(os.path.expanduser("~"))
    default = home / ".cache" if home.is_absolute() else Path(tempfile.gettempdir())
    return (Path(shared) if shared else default) / "chimera-bench"


def load_arrays(name: str) -> Arrays | None:
    """What was kept under a name, or None where there is nothing whole."""
    path = _path(name)
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


def keep_arrays(name: str, arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Keep arrays under a name, whole or not at all; False, with a warning, where that is impossible."""
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **arrays)
    content = archive.getvalue()
    path = _path(name)
    try:
        with open_draft(path) as draft:
            draft.write_bytes(hashlib.sha256(content).digest() + content)
    except OSError as error:
        _log.warning("nothing is kept: %s; set %s to a folder with room", error.strerror, VARIABLE)
        return False
    return True


def _path(name: str) -> Path:
    return cache_folder() / f"{name}.arrays"
