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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./pack", r"'\./pack' is a folder: give the path of a method file in it, pack/FILE\.py"),
        ("./pakc", r"no method or study '\./pakc'\. There are"),
        ("pack/x.py", r"no method file 'pack/x\.py': there is no file \*\.py in pack"),
        ("gone/x.py", r"no method file 'gone/x\.py': there is no folder gone"),
        ("x.yaml", r"no study file 'x\.yaml': there is no file \*\.y\*ml in \."),
    ],
)
def test_a_path_that_leads_to_no_runs_is_answered_as_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    (tmp_path / "pack").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyError, match=message):
        select_runs(name, store=Store(tmp_path), overrides={})
