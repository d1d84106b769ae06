"""Parts of converters, which translate the tensor names of a published checkpoint to those of a method here.

A converter is the function `convert_official` of a method file, see `benchmark.core.method.Recipe`. It is strict: each
tensor of the file is used, or left out by a rule that says so; the harness checks the names and shapes that it returns,
and that nothing which training would change keeps its random initial value.
"""

from __future__ import annotations

from methods.blocks.official_weights.packing import split_rows, stack_rows
from methods.blocks.official_weights.renaming import Rule, rename_tensors

__all__ = ["Rule", "rename_tensors", "split_rows", "stack_rows"]
