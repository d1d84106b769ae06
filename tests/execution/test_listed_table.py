"""The JSON file of a table: which of its runs are compared, and what is said of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.execution.listed_means import list_contradictions
from benchmark.execution.listed_table import read_listed_table
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.report.tables.study_table import render
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write the JSON file of a table and return its path.

    The seeds 0 to 2 of row "paper" are done, "fixed" has one deterministic run, and seed 1 of "lost" failed.
    """
    store = Store(tmp_path / "listed")
    failure = Failure(kind="OSError", message="no weights")
    rows = {
        "paper": {seed: save(store, spec_of("paper", seed=seed), even(80, 60)) for seed in range(3)},
        "fixed": {0: save(store, spec_of("fixed"), even(80, 60), is_deterministic=True)},
        "lost": {
            0: save(store, spec_of("lost"), even(80, 60)),
            1: save(store, spec_of("lost", seed=1), failure),
        },
    }
    path = tmp_path / "table.json"
    path.write_text(render(collect_results(read_rows(store, plan_of(rows))), fmt="json"))
    return path


def test_all_finished_runs_are_listed_and_the_others_named(table: Path) -> None:
    listed = read_listed_table(table)
    assert [(row, run.spec.seed) for row, run in listed.runs] == [
        ("paper", 0),
        ("paper", 1),
        ("paper", 2),
        ("fixed", 0),
        ("lost", 0),
    ]
    assert listed.remarks == (("lost", "not compared: the table has no result (seed 1 is failed)"),)
    assert not list(list_contradictions(listed.file, {}))


def test_one_deterministic_run_stands_for_every_seed(table: Path) -> None:
    listed = read_listed_table(table, seeds=[2])
    assert [(row, run.spec.seed) for row, run in listed.runs] == [("paper", 2), ("fixed", 0)]
    assert listed.remarks == (
        ("fixed", "deterministic: its one run is compared (seed 0)"),
        ("lost", "not compared: the table has no run of seed 2"),
    )


def test_seeds_that_no_row_has_are_refused(table: Path) -> None:
    value = json.loads(table.read_text())
    value["rows"] = value["rows"][:1]
    table.write_text(json.dumps(value))
    with pytest.raises(ValueError, match=r"lists no finished run of the seeds \[9\]"):
        read_listed_table(table, seeds=[9])


def test_runs_have_the_source_files_of_their_code_digest(table: Path) -> None:
    value = json.loads(table.read_text())
    done = [run for row in value["rows"] for run in row["runs"] if run["state"] == "done"]
    for index, run in enumerate(done):
        run["code_digest"] = f"digest {index}"
    value["code"] = {run["code_digest"]: {"method.py": run["counts_digest"]} for run in done}
    table.write_text(json.dumps(value))
    assert [run.code for _, run in read_listed_table(table).runs] == list(value["code"].values())


def test_means_that_the_file_leaves_out_are_not_checked(table: Path) -> None:
    value = json.loads(table.read_text())
    for row in value["rows"]:
        del row["hiou"]
    table.write_text(json.dumps(value))
    assert not list(list_contradictions(read_listed_table(table).file, {}))


def break_run(value: Any) -> None:
    del value["rows"][0]["runs"][0]["environment"]


def break_rows(value: Any) -> None:
    value["rows"] = 1


def break_convention(value: Any) -> None:
    value["convention"] = "mine"


def break_code(value: Any) -> None:
    value["code"] = {}


@pytest.mark.parametrize("damage", [break_run, break_rows, break_convention, break_code])
def test_another_json_file_is_refused_in_one_line(table: Path, damage: Any) -> None:
    value = json.loads(table.read_text())
    damage(value)
    table.write_text(json.dumps(value))
    with pytest.raises(
        ValueError, match=r"table.json is .* \(.*\): expected .* this writes: chimera-bench table STUDY --format json"
    ) as caught:
        read_listed_table(table)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("{", "not JSON"),
        ("row,hiou\n", "not JSON"),
        ("[]", "not the JSON file of a table"),
        ('{"rows": 1, "convention": "d2-main"}', "no table of this version"),
    ],
)
def test_a_message_says_what_the_file_is(tmp_path: Path, content: str, kind: str) -> None:
    (tmp_path / "other").write_text(content)
    with pytest.raises(ValueError, match=rf"other is {kind} \("):
        read_listed_table(tmp_path / "other")


@pytest.mark.parametrize(
    ("plans", "words"),
    [([], "chimera-seg.components"), (["demo", "chimera-seg.components.voc12"], "chimera-seg.components.voc12")],
)
def test_of_a_papers_table_the_message_names_the_study_to_print(tmp_path: Path, plans: list[str], words: str) -> None:
    path = tmp_path / "components.json"
    path.write_text(json.dumps({"table": "chimera-seg/components", "lines": []}))
    with pytest.raises(ValueError, match=rf"the paper's table .*: chimera-bench table {words} --format json --out"):
        read_listed_table(path, plans=plans)


def test_rows_of_several_splits_are_told_apart(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "listed"), tmp_path / "table.json"
    ids = {split: {0: save(store, spec_of(split=split), even(80, 60))} for split in ("toybox", "voc12")}
    plan = plan_of(ids)
    rows = tuple(row.model_copy(update={"label": "paper", "split": row.label}) for row in plan.rows)
    results = collect_results(read_rows(store, plan.model_copy(update={"rows": rows})))
    path.write_text(render(results, fmt="json"))
    assert [row for row, _ in read_listed_table(path).runs] == ["paper on toybox", "paper on voc12"]
