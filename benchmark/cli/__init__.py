"""The command line: it parses, calls and prints, and nothing else prints.

Commands import what they need when they are called, so that `--help`, `list` and `status` answer at once.
"""

from benchmark.cli.early_interrupts import end_quietly

with end_quietly():
    from benchmark.cli.main import main

__all__ = ["main"]
