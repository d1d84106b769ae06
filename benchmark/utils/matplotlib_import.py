"""Import of matplotlib that no setting of the user can stop: neither of the environment nor of a `matplotlibrc`."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ISOLATED = {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
"""Environment variables while matplotlib is imported: figures are files, and their settings are our own."""


def import_matplotlib() -> None:
    """Import matplotlib without the settings of the user; nothing is done if it is loaded already.

    A notebook's MPLBACKEND names a module that another Python need not have, a `matplotlibrc` may be broken, and
    without a home there is no folder for the cache of fonts. Each would end the import.
    """
    if "matplotlib" in sys.modules:
        return
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # of folders that it cannot write to
    with contextlib.chdir(os.path.dirname(__file__)), _set_environment(ISOLATED | _find_cache()):
        import matplotlib  # a file `matplotlibrc` in the current folder comes before MATPLOTLIBRC
        import matplotlib.font_manager  # noqa: F401


def _find_cache() -> dict[str, str]:
    """Return a folder for the cache of fonts if matplotlib would fail to find one; nothing if it finds one."""
    if os.environ.get("MPLCONFIGDIR"):
        return {}
    try:
        Path.home()
    except RuntimeError:  # no HOME, and a user without a name
        return {"MPLCONFIGDIR": tempfile.mkdtemp(prefix="matplotlib-")}
    return {}


@contextlib.contextmanager
def _set_environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
