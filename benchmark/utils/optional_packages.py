"""Packages that only some runs need: whether they are here and work, said in one line before anything else is done."""

from __future__ import annotations

import importlib
import warnings
from importlib.util import find_spec

INSTALLATION = "https://detectron2.readthedocs.io/en/latest/tutorials/install.html"
PARTS = ("checkpoint", "config", "data", "engine", "evaluation", "modeling", "solver", "structures")
PREREQUISITES = ("fvcore", "iopath", "omegaconf", "pycocotools")
"""What a plain source tree of Detectron2 needs beside us to be imported; each brings what it needs itself."""


def require_engine(name: str) -> None:
    """Load what an engine needs beside us. Raises ValueError where that cannot be done; says what to do."""
    if name == "detectron2":
        require_detectron2()


def require_detectron2() -> None:
    """Load Detectron2.

    Raises:
        ValueError: it is not here, or does not work with what is installed; says what to do.
    """
    found = find_spec("detectron2")
    if found is None:
        raise ValueError(
            "Detectron2 is not installed; only engine detectron2 and bodies d2:... need it. "
            f"Install it ({INSTALLATION}), or use engine fabric and another body"
        )
    place = next(iter(found.submodule_search_locations or ()), found.origin)
    if found.origin is None:
        raise ValueError(
            f"{place} is taken for Detectron2, but is no package: where it is a checkout, put it on PYTHONPATH itself, "
            "not the folder around it"
        )
    try:
        _load()
    except Exception as error:  # whatever its code, or a package below it, does not find as it expects
        raise ValueError(f"Detectron2 at {place} {_complaint(error)}") from error


def _load() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its use of torch.jit.script and the like, which we cannot change
        for part in PARTS:
            importlib.import_module(f"detectron2.{part}")


def _complaint(error: Exception) -> str:
    """What is wrong and what to do about it, as the end of a sentence about Detectron2."""
    package = _package_at_fault(error)
    if isinstance(error, ModuleNotFoundError) and package and find_spec(package) is None:
        missing = dict.fromkeys([package, *(one for one in PREREQUISITES if find_spec(one) is None)])
        return f"needs what is not installed: pip install {' '.join(missing)}"
    said = " ".join(f"{type(error).__name__}: {error}".split())
    other = _distribution(package)
    if not other:
        return f"cannot be loaded ({said}): take its newest commit, and the packages that it asks for ({INSTALLATION})"
    return f"does not work with {other} ({said}): take the newest of both ({INSTALLATION})"


def _package_at_fault(error: Exception) -> str:
    """The package in which something was not found; empty where the error is of another kind."""
    lacking = getattr(error, "obj", None)  # the module that does not have an attribute
    module = error.name if isinstance(error, ImportError) else getattr(lacking, "__name__", None)
    return (module or "").partition(".")[0]


def _distribution(package: str) -> str:
    """Name and version of the distribution that a package other than Detectron2 is of; empty where there is none."""
    from importlib.metadata import packages_distributions, version  # not above, as every command loads this file

    names = packages_distributions().get(package, [])
    return f"{names[0]} {version(names[0])}" if names and package != "detectron2" else ""
