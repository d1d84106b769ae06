"""Tests of the expansion of a study: its baseline, and rows that one run is enough for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.core.split import SPLITS
from benchmark.core.study import Study, StudyRow
from benchmark.planning.expand import expand

ROWS = (StudyRow(method="spnet"), StudyRow(method="maskclip/MaskCLIP"))


def make_study(**changes: Any) -> Study:
    fields: dict[str, Any] = {"name": "two", "title": "Two", "rows": ROWS, "split": "toybox", "seeds": (3, 4)}
    return Study(**fields | changes)


def test_a_deterministic_row_has_one_run_with_the_first_seed() -> None:
    plan = expand(make_study()).plan
    assert [list(row.ids) for row in plan.rows] == [[3, 4], [3]]


def test_iterations_for_every_row_do_not_repeat_a_row_that_trains_nothing() -> None:
    plan = expand(make_study(set={"budget.iterations": 9})).plan
    assert [list(row.ids) for row in plan.rows] == [[3, 4], [3]]


def test_the_baseline_of_a_study_is_that_of_its_plan() -> None:
    assert expand(make_study(baseline="MaskCLIP")).plan.baseline == "MaskCLIP"
    assert expand(make_study()).plan.baseline == ""


def test_a_baseline_that_is_no_row_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(KeyError, match="study 'two': no row to be the baseline 'MaskCLOP'; did you mean 'MaskCLIP'"):
        expand(make_study(baseline="MaskCLOP"))


def test_different_splits_with_the_same_name_are_refused_with_their_files(tmp_path: Path) -> None:
    fields = yaml.safe_load((SPLITS / "toybox.yaml").read_text())
    files = [str(tmp_path / folder / "base.yaml") for folder in "ab"]
    for number, file in enumerate(files):
        Path(file).parent.mkdir()
        Path(file).write_text(yaml.safe_dump(fields | {"unseen": fields["unseen"][number:]}))
    message = f"two splits are called 'base', {files[0]} and {files[1]}: rename one of the files"
    with pytest.raises(ValueError, match=message):
        expand(make_study(split=files))
