"""Selection of the runs that a user names."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.grid import make_grid
from benchmark.core.study import Study, load_study
from benchmark.planning.modified_study import modify_study
from benchmark.planning.requested_study import Request
from benchmark.planning.resolve import resolve
from benchmark.planning.selection import select_runs
from benchmark.store.store import Store

DRAWN = {"of": "voc12", "count": 3, "unseen": 5}
SWEPT = {"name": "s", "title": "S", "split": "toybox", "seeds": [0], "rows": ["chimera_seg"]} | {
    "sweep": {"sgd.weight": [1, 2]}
}


def test_a_modified_study_has_its_own_name_and_title() -> None:
    study = load_study("head_depth")
    modified = modify_study(study, overrides={"head.blocks": 2, "budget.iterations": 5})
    assert modified.name == "head_depth+head.blocks=2+budget.iterations=5"
    assert modified.title.endswith("[head.blocks=2, budget.iterations=5]")
    assert all("head.blocks" not in row.set for row in modified.rows)
    assert modify_study(study, overrides={}) == study


def test_a_changed_key_is_neither_set_nor_swept_by_the_study_any_more() -> None:
    study = Study.model_validate(SWEPT)
    fixed = modify_study(study, overrides={"sgd.weight": 3})
    assert (fixed.set, fixed.sweep) == ({"sgd.weight": 3}, {})
    swept = modify_study(study, overrides={}, sweep={"sgd.weight": (4, 5)})
    assert (swept.set, swept.sweep, swept.title) == ({}, {"sgd.weight": (4, 5)}, "S [sgd.weight=4,5]")


def test_other_splits_replace_those_of_the_rows_and_of_a_sweep() -> None:
    rows = [{"method": "spnet", "split": "voc12"}, {"method": "maskclip", "sweep": {"split": ["voc12"]}}]
    study = Study.model_validate(SWEPT | {"rows": rows})
    assert {row.split for row in make_grid(modify_study(study, overrides={}, split=("toybox",)))} == {"toybox"}


def test_given_splits_replace_those_that_a_study_draws() -> None:
    study = Study.model_validate({key: SWEPT[key] for key in ("name", "title", "seeds", "rows")} | {"resampled": DRAWN})
    modified = modify_study(study, overrides={}, split=("voc12@5-s0-01",))
    assert (modified.resampled, modified.split) == (None, ("voc12@5-s0-01",))
    assert modify_study(study, overrides={"sgd.weight": 3}).resampled == study.resampled


def test_a_method_is_not_planned_by_name_unless_it_is_a_grid(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert select_runs(Request("spnet", seeds=(0, 1)), store=store).named_plan is None
    assert store.list_plans() == []
    select_runs(Request("spnet", plan_name="mine"), store=store)
    select_runs(Request("spnet/SPNet", sweep={"budget.iterations": (5, 6)}), store=store)
    assert store.list_plans() == ["mine", "spnet-SPNet+budget.iterations=5-6"]


def test_a_sweep_of_a_method_has_the_runs_that_each_value_gives_alone(tmp_path: Path) -> None:
    request = Request("spnet", seeds=(3, 4), sweep={"budget.iterations": (5, 6)})
    alone = [
        resolve("spnet", split="toybox", seed=seed, overrides={"budget.iterations": count}).id
        for count in (5, 6)
        for seed in (3, 4)
    ]
    assert list(select_runs(request, store=Store(tmp_path)).ids) == alone


def test_a_method_without_randomness_runs_once_and_says_so(tmp_path: Path) -> None:
    notes: list[str] = []
    selection = select_runs(Request("maskclip", seeds=(2, 5)), store=Store(tmp_path), notify=notes.append)
    assert [spec.seed for spec in selection.specs] == [2]
    assert notes == ["maskclip gives the same result with every seed: only seed 2 is run"]


def test_a_large_grid_says_its_size_before_it_is_planned(tmp_path: Path) -> None:
    notes: list[str] = []
    request = Request("spnet", seeds=tuple(range(1001)), sweep={"unknown": (1, 2, 3)})
    with pytest.raises(KeyError, match=r"spnet unknown=1: no setting 'unknown'"):
        select_runs(request, store=Store(tmp_path), notify=notes.append)
    assert len(notes) == 1 and "3003 runs" in notes[0]


def test_a_plan_is_not_named_like_another_study_or_method(tmp_path: Path) -> None:
    for name in ("ablations", "spnet"):
        with pytest.raises(ValueError, match=f"'{name}' is the name of another study or method: give another --name"):
            select_runs(Request("maskclip", plan_name=name), store=Store(tmp_path))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./nofolder", r"no folder '\./nofolder'"),
        ("./pack", r"'\./pack' is a folder without __init__\.py: give the path of a method file in it, pack/FILE\.py"),
        ("./pakc/My method", r"no folder '\./pakc'; did you mean '\./pack'\?"),
        ("pack/My method", r"'pack' is a folder without __init__\.py: give the path of a method file in it"),
        ("mine", r"no method or study 'mine', but a file of this name: give its path, \./mine\.py"),
        ("own/My method", r"no method or study 'own', but a folder of this name: give its path, \./own"),
        ("./notes.txt", r"no method '\./notes.txt': a method file ends in \.py"),
        ("pack/x.py", r"no method file 'pack/x\.py': there is no file \*\.py in pack"),
        ("gone/x.py", r"no method file 'gone/x\.py': there is no folder gone"),
        ("x.yaml", r"no study file 'x\.yaml': there is no file \*\.y\*ml in \."),
    ],
)
def test_a_path_that_leads_to_no_runs_is_answered_as_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "own").mkdir()
    for file in ("own/__init__.py", "mine.py", "notes.txt"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyError, match=message):
        select_runs(Request(name), store=Store(tmp_path))


def test_rows_that_differ_in_an_unused_budget_are_named(tmp_path: Path) -> None:
    notes: list[str] = []
    request = Request("maskclip", sweep={"budget.iterations": (5, 6)})
    select_runs(request, store=Store(tmp_path), notify=notes.append)
    labels = "MaskCLIP [budget.iterations=5], MaskCLIP [budget.iterations=6]"
    assert notes == [f"maskclip trains nothing, so these rows get equal numbers: {labels}"]


@pytest.mark.parametrize(("method", "count"), [("maskclip", 1), ("spnet", 0)])
def test_a_budget_that_a_method_does_not_use_is_noted(method: str, count: int, tmp_path: Path) -> None:
    notes: list[str] = []
    select_runs(Request(method, overrides={"budget.iterations": 50}), store=Store(tmp_path), notify=notes.append)
    line = f"{method} trains nothing (Supervision.NONE): budget.iterations has no effect on its numbers, but its runs"
    assert [note.startswith(line) for note in notes] == [True] * count


def test_an_unused_budget_of_a_study_is_noted_once_for_each_method(tmp_path: Path) -> None:
    notes: list[str] = []
    path = tmp_path / "mine.yaml"
    path.write_text("title: T\nsplit: [toybox, toybox_tune]\nseeds: [0]\nrows: [maskclip, naclip, spnet]\n")
    select_runs(Request(str(path), overrides={"budget.iterations": 5}), store=Store(tmp_path), notify=notes.append)
    assert [note.partition(" (")[0] for note in notes] == ["maskclip trains nothing", "naclip trains nothing"]


def test_a_study_file_does_not_take_the_name_of_an_included_study(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: ablations\ntitle: T\nsplit: toybox\nseeds: [0]\nrows: [maskclip]\n")
    with pytest.raises(ValueError, match=r"mine\.yaml has the name of an included study or method, 'ablations'"):
        select_runs(Request(str(path)), store=Store(tmp_path))
    assert select_runs(Request(str(path), plan_name="other"), store=Store(tmp_path)).name == "other"


def test_a_plan_of_other_runs_is_not_replaced_in_silence(tmp_path: Path) -> None:
    notes: list[str] = []
    for method in ("maskclip", "spnet"):
        select_runs(Request(method, plan_name="mine"), store=Store(tmp_path), notify=notes.append)
    assert len(notes) == 1 and notes[0].startswith(
        "the plan 'mine' of 1 other run (maskclip) is replaced; its runs are"
    )
    assert notes[0].endswith("kept: `table METHOD` shows them")
