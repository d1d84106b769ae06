"""Rule about where a method gets its knowledge from: split files, datasets and records are read by the harness alone.

`build` gets no unseen name, but a method could load the file of the split by itself. So its code is searched for
imports that read data, and its lines that open a split file are found while it runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from benchmark.contract.comparison import predict
from benchmark.contract.rule import BrokenRuleError, Rule
from benchmark.contract.split_files import watch_split_files
from benchmark.contract.subject import Subject

READERS = ("benchmark.data", "benchmark.planning", "benchmark.store", "benchmark.execution", "benchmark.report")
"""Packages that read data, splits or results."""
READING_NAMES = {"load_split", "load_study", "open_dataset", "load_results"}
"""Names that other modules of this package have for it."""
ADVICE = "use what build is given (split.seen, split.prompts, split.num_classes) and what the samples hold"


def _check_sources(subject: Subject) -> None:
    for file in sorted(subject.files):
        for line, name in _find_reading_imports(file):
            raise BrokenRuleError(f"imports {name}, which reads data or splits: {ADVICE}", f"{file.name}:{line}")
    with watch_split_files(subject.files, subject.split.name) as opened:
        method = subject.before_training()
        method.train().losses(subject.make_training_batch())
        predict(method.eval(), subject.make_prediction_batch())
    for item in [*subject.opened, *subject.opened_in_build, *opened]:
        raise BrokenRuleError(f"opens {item.name}, which holds the unseen names: {ADVICE}", item.place)


def _find_reading_imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and name of each import of a file that reads data, splits or results."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if _reads(name))


def _reads(name: str) -> bool:
    if name.partition(".")[0] != "benchmark":
        return False
    is_reader = any(name == package or name.startswith(f"{package}.") for package in READERS)
    return is_reader or name.split(".")[-1] in READING_NAMES


RULES = (
    Rule(
        "own-sources",
        "A method reads no split, dataset or record by itself.",
        _check_sources,
        needs=("loss-values", "prediction-values"),
    ),
)
