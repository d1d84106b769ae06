"""Weight files for blocks; the harness reads published checkpoints with the same functions."""

from __future__ import annotations

from benchmark.core.weight_files import compare_shapes, find_problem_of_file, load_tensors, read_shapes, read_tensors

__all__ = ["compare_shapes", "find_problem_of_file", "load_tensors", "read_shapes", "read_tensors"]
