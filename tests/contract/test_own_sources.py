"""Methods that read splits, data or results by themselves, whenever they do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.contract.check import check_variant, make_subjects
from benchmark.contract.rule import RuleOutcome, RuleState

HONEST = (Path(__file__).with_name("faulty_method.py")).read_text()
FROM_FUTURE = "from __future__ import annotations\n"


def _check(folder: Path, line: str) -> RuleOutcome:
    file = folder / "reader.py"
    file.write_text(HONEST.replace(FROM_FUTURE, f"{FROM_FUTURE}{line}\n"))
    (subject,) = make_subjects(f"{file}/no fault")
    (outcome,) = [outcome for outcome in check_variant(subject) if outcome.rule == "own-sources"]
    return outcome


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from benchmark.core.split import load_split", "benchmark.core.split.load_split"),
        ("from benchmark.data.catalog import open_dataset", "benchmark.data.catalog.open_dataset"),
        ("import benchmark.store.store", "benchmark.store.store"),
        ("from benchmark.api import load_results", "benchmark.api.load_results"),
        ("from benchmark import data", "benchmark.data"),
    ],
)
def test_an_import_that_reads_is_reported_with_its_line(line: str, name: str, tmp_path: Path) -> None:
    outcome = _check(tmp_path, line)
    assert outcome.reason.startswith(f"imports {name}, which reads data or splits: use what build is given")
    assert outcome.place == f"reader.py:{HONEST.splitlines().index(FROM_FUTURE.strip()) + 2}"


def test_a_split_file_that_is_read_while_the_method_is_imported_is_noticed(tmp_path: Path) -> None:
    outcome = _check(
        tmp_path, "UNSEEN = __import__('benchmark.core.split', fromlist=['x']).load_split('toybox').unseen"
    )
    assert "opens toybox.yaml, which holds the unseen names" in outcome.reason
    assert outcome.place.endswith("(<module>)")


@pytest.mark.parametrize("line", ["from benchmark.core.split import Split", "import json"])
def test_imports_that_read_nothing_are_fine(line: str, tmp_path: Path) -> None:
    assert _check(tmp_path, line).state is RuleState.OK
