"""Folders of the installed tree and of the user, who may have no home, as in a container."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Folder that contains `benchmark`, `methods`, `splits` and `slurm`, in a checkout and when installed."""
CACHE_VARIABLE = "CHIMERA_BENCH_CACHE"
"""Environment variable that names the folder of the cache."""


def find_home() -> Path | None:
    """Return the home folder of the user; None if there is none, or if HOME is empty."""
    if os.environ.get("HOME") == "":
        return None
    home = Path(os.path.expanduser("~"))  # unlike `Path.home`, which raises an error without a home
    return home if home.is_absolute() else None


def find_cache_folder() -> Path:
    """Return the folder of the cache.

    The folder is $CHIMERA_BENCH_CACHE, else chimera-bench below $XDG_CACHE_HOME, else below ~/.cache, else below the
    folder for temporary files if the user has no home.
    """
    own, shared = os.environ.get(CACHE_VARIABLE), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own)
    if shared:
        return Path(shared) / "chimera-bench"
    home = find_home()
    return (home / ".cache" if home else Path(tempfile.gettempdir())) / "chimera-bench"


def make_absolute(path: str | Path) -> Path:
    """Return the absolute path of a file, without ".." unless a symbolic link gives it a meaning of its own."""
    file = Path(path).expanduser().absolute()
    short = Path(os.path.normpath(file))
    return short if os.path.realpath(short) == os.path.realpath(file) else file


def expand_path(name: str) -> Path:
    """Return a path with its variables and "~" replaced; what is unknown stays as it is."""
    return Path(os.path.expanduser(os.path.expandvars(name)))


def find_runs_folder() -> str:
    """Return the folder of run records where none is named: that of the environment variable, or `runs`."""
    return os.environ.get("CHIMERA_BENCH_RUNS") or "runs"
