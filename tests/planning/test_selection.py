"""Selection of the runs that a user names."""

from __future__ import annotations

from benchmark.core.study import load_study
from benchmark.planning.selection import modify_study


def test_a_modified_study_has_its_own_name_and_title() -> None:
    study = load_study("head_depth")
    modified = modify_study(study, overrides={"head.blocks": 2, "budget.iterations": 5})
    assert modified.name == "head_depth+head.blocks=2+budget.iterations=5"
    assert modified.title.endswith("[head.blocks=2, budget.iterations=5]")
    assert all("head.blocks" not in row.set for row in modified.rows)
    assert modify_study(study, overrides={}) == study
