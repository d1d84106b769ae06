"""Selection of the runs that a user names."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.study import load_study
from benchmark.planning.selection import modify_study, select_runs
from benchmark.store.store import Store


def test_a_modified_study_has_its_own_name_and_title() -> None:
    study = load_study("head_depth")
    modified = modify_study(study, overrides={"head.blocks": 2, "budget.iterations": 5})
    assert modified.name == "head_depth+head.blocks=2+budget.iterations=5"
    assert modified.title.endswith("[head.blocks=2, budget.iterations=5]")
    assert all("head.blocks" not in row.set for row in modified.rows)
    assert modify_study(study, overrides={}) == study


def test_a_method_has_no_plan_to_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'spnet' is a method, and only a study has a plan to name 'mine'"):
        select_runs("spnet", store=Store(tmp_path), overrides={}, plan_name="mine")
