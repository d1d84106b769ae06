"""Method files for tests of their loading and planning."""

from __future__ import annotations

from pathlib import Path

TEXT = """
from benchmark.api import Budget, Config, Recipe, Supervision, Traits

class MyConfig(Config):
    BODY

STATEMENT
VARIANTS = {"mine": MyConfig()}
RECIPE = Recipe(
    title="Mine", paper="", traits=Traits(Supervision.NONE), variants=VARIANTS, build=print, budgets={"*": Budget()}
)
"""


def write_method(folder: Path, *, config: str = "width: int = 8", top: str = "") -> Path:
    """Write the file of a method that can be planned and return its path.

    Args:
        folder: Folder of the file.
        config: Line 5, in the class of the config.
        top: Line 7, at the top level.
    """
    path = folder / "mine.py"
    path.write_text(TEXT.replace("BODY", config).replace("STATEMENT", top))
    return path
