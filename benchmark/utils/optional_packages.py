"""Checks of packages that only some runs need: one line says what is missing before anything else is done."""

from __future__ import annotations

import importlib
import warnings
from importlib.util import find_spec

INSTALLATION = "https://detectron2.readthedocs.io/en/latest/tutorials/install.html"
MODULES = ("checkpoint", "config", "data", "engine", "evaluation", "modeling", "solver", "structures")
"""Modules of Detectron2 that are used."""
PREREQUISITES = ("fvcore", "iopath", "omegaconf", "pycocotools")
"""Packages that a source tree of Detectron2 needs to be imported; each installs its own dependencies."""


def require_engine(name: str) -> None:
    """Load the packages that an engine needs.

    Raises:
        ValueError: A package is missing or does not work; the message says what to do.
    """
    if name == "detectron2":
        require_detectron2()


def require_detectron2() -> None:
    """Load Detectron2.

    Raises:
        ValueError: Detectron2 is missing or does not work with the installed packages; the message says what to do.
    """
    spec = find_spec("detectron2")
    if spec is None:
        raise ValueError(
            "Detectron2 is not installed; only engine detectron2 and bodies d2:... need it. "
            f"Install it ({INSTALLATION}), or use engine fabric and another body"
        )
    location = next(iter(spec.submodule_search_locations or ()), spec.origin)
    if spec.origin is None:
        raise ValueError(
            f"{location} is taken for Detectron2, but is no package: if it is a checkout, put the checkout on "
            "PYTHONPATH, not the folder around it"
        )
    try:
        _load_modules()
    except Exception as error:  # whatever Detectron2 or a package below it misses
        raise ValueError(f"Detectron2 at {location} {_describe_problem(error)}") from error


def _load_modules() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Detectron2's use of torch.jit.script and the like, which we cannot change
        for name in MODULES:
            importlib.import_module(f"detectron2.{name}")


def _describe_problem(error: Exception) -> str:
    """Return the problem and its solution, as the end of a sentence about Detectron2."""
    package = _find_package_at_fault(error)
    if isinstance(error, ModuleNotFoundError) and package and find_spec(package) is None:
        missing = dict.fromkeys([package, *(name for name in PREREQUISITES if find_spec(name) is None)])
        return f"needs missing packages: pip install {' '.join(missing)}"
    message = " ".join(f"{type(error).__name__}: {error}".split())
    other = _find_distribution(package)
    if not other:
        return f"cannot be loaded ({message}): take its newest commit and the packages it requires ({INSTALLATION})"
    return f"does not work with {other} ({message}): take the newest of both ({INSTALLATION})"


def _find_package_at_fault(error: Exception) -> str:
    """Return the package in which a name was not found; empty if the error is of another kind."""
    module = getattr(error, "obj", None)  # the module that does not have an attribute
    name = error.name if isinstance(error, ImportError) else getattr(module, "__name__", None)
    return (name or "").partition(".")[0]


def _find_distribution(package: str) -> str:
    """Return name and version of the distribution of a package; empty for Detectron2 and unknown packages."""
    from importlib.metadata import packages_distributions, version  # not above: every command loads this file

    names = packages_distributions().get(package, [])
    return f"{names[0]} {version(names[0])}" if names and package != "detectron2" else ""
