"""Tests of rows that are named by study, method and run: one plan, labels that tell rows apart, and clear refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.plan import Plan
from benchmark.report.comparison_sides import find_runs
from benchmark.report.named_rows import describe_ambiguous, make_plan
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of, two_rows


def save_seeds(store: Store, variant: str, *, seeds: int = 2, **changes: Any) -> dict[int, str]:
    """Save runs of a variant and return their ids by seed."""
    return {seed: save(store, spec_of(variant, seed=seed, **changes), even(80, 60)) for seed in range(seeds)}


def list_labels(plan: Plan) -> list[tuple[str, str, list[int]]]:
    return [(row.label, row.split, list(row.ids)) for row in plan.rows]


def test_a_study_alone_is_its_plan(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = two_rows(store).model_copy(update={"baseline": "no SGD"})
    store.write_plan(plan)
    assert make_plan(store, ["demo"]) == plan == make_plan(store, ["anywhere/demo.yaml"])


def test_a_study_alone_whose_labels_tell_its_rows_apart_is_planned_without_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.write_plan(two_rows(store))
    monkeypatch.delattr(RunFolder, "read_record")
    monkeypatch.delattr(RunFolder, "read_spec")
    assert list_labels(make_plan(store, ["demo"], split="toy*")) == list_labels(store.read_plan("demo"))


def test_a_study_alone_joins_the_seeds_of_one_row(tmp_path: Path) -> None:
    store, ids = Store(tmp_path), save_seeds(Store(tmp_path), "paper")
    store.write_plan(plan_of({"paper": {0: ids[0]}, "again": {1: ids[1]}}))
    assert list_labels(make_plan(store, ["demo"])) == [("paper", "toybox", [0, 1])]


def test_a_study_alone_with_one_label_of_two_methods_has_the_methods_in_front(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (first,) = plan_of({"paper": save_seeds(store, "paper")}).rows
    (second,) = plan_of({"paper": save_seeds(store, "paper", method="other")}).rows
    rows = (first, second.model_copy(update={"method": "other"}))
    store.write_plan(plan_of({}).model_copy(update={"rows": rows}))
    assert [row.label for row in make_plan(store, ["demo"]).rows] == ["demo/paper", "other/paper"]


def test_a_row_without_a_run_is_told_from_one_with_the_same_label(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (first,) = plan_of({"same": save_seeds(store, "paper")}).rows
    second = first.model_copy(update={"method": "other", "ids": {0: spec_of(method="other").id}})
    store.write_plan(plan_of({}).model_copy(update={"rows": (first, second)}))
    assert [row.label for row in make_plan(store, ["demo"]).rows] == ["demo/same", "other/same"]


def test_the_baseline_of_studies_is_one_that_a_row_is_still_called_by(tmp_path: Path) -> None:
    store, ids = Store(tmp_path), save_seeds(Store(tmp_path), "paper")
    store.write_plan(plan_of({"paper": ids}).model_copy(update={"study": "one"}))
    rows = plan_of({"full model": ids, "no SGD": save_seeds(store, "no SGD")})
    store.write_plan(rows.model_copy(update={"study": "two", "baseline": "full model"}))
    assert make_plan(store, ["one", "two"]).baseline == ""
    assert make_plan(store, ["two", "one"]).baseline == "full model"


def test_two_studies_share_a_row_once_and_join_its_seeds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids, other = save_seeds(store, "paper", seeds=3), save_seeds(store, "no SGD")
    store.write_plan(plan_of({"paper": {0: ids[0], 1: ids[1]}}).model_copy(update={"study": "one"}))
    store.write_plan(plan_of({"ours": {2: ids[2]}, "no SGD": other}).model_copy(update={"study": "two"}))
    plan = make_plan(store, ["one", "two"])
    assert list_labels(plan) == [("paper", "toybox", [0, 1, 2]), ("no SGD", "toybox", [0, 1])]
    assert plan.study == "one two"


def test_a_label_that_a_joined_row_does_not_have_is_said(tmp_path: Path) -> None:
    store, notes = Store(tmp_path), list[str]()
    ids, other = save_seeds(store, "paper", seeds=3), save_seeds(store, "no SGD")
    for study, rows in {"one": {"paper": {0: ids[0]}, "edited": {1: ids[1]}}, "two": {"ours": {2: ids[2]}}}.items():
        store.write_plan(plan_of(rows | {"no SGD": other}).model_copy(update={"study": study}))
    make_plan(store, ["demo", "one", "two"], notify=notes.append)
    assert notes == [
        "'edited' of one is in the row 'paper' of one: their runs differ in nothing but the seed",
        "'ours' of two is in the row 'paper' of one: their runs differ in nothing but the seed",
    ]
    make_plan(store, ["two", "demo"], notify=pytest.fail)


def test_a_method_stands_for_its_rows_in_the_order_of_its_variants(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for variant in ("a", "paper", "b"):
        save_seeds(store, variant)
    assert [label for label, *_ in list_labels(make_plan(store, ["demo"]))] == ["a", "b", "paper"]
    plan = make_plan(store, ["demo"], list_variants=lambda _method: ["paper", "b"])
    assert [label for label, *_ in list_labels(plan)] == ["paper", "b", "a"]
    assert list_labels(make_plan(store, ["demo/PAPER"])) == [("paper", "toybox", [0, 1])]


def test_a_path_means_the_runs_of_its_file_wherever_it_was(tmp_path: Path) -> None:
    store, folder = Store(tmp_path), tmp_path / "elsewhere" / "demo"
    save_seeds(store, "paper", source=str(folder / "__init__.py"), source_digest="d")
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for path in ("./there/demo.py/paper", f"{folder}/paper"):
        assert make_plan(store, [path]).rows == make_plan(store, ["demo/paper"]).rows


def test_a_file_called_like_a_registered_method_is_told_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store, file = Store(tmp_path), str(tmp_path / "demo.py")
    registered = save_seeds(store, "paper", seeds=1)
    own = save_seeds(store, "paper", seeds=1, source=file, source_digest="d")
    both = make_plan(store, ["demo", "./demo.py"])
    assert [row.label for row in both.rows] == ["demo/paper", "./demo.py/paper"]
    for name, ids in {"demo": registered, "demo/paper": registered, "./demo.py": own, f"{file}/paper": own}.items():
        assert [row.ids for row in make_plan(store, [name]).rows] == [ids]
        assert find_runs(store, name)[1] == {"toybox": ids}


def test_a_label_that_a_message_lists_can_be_typed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for digest in ("one", "two"):
        ids = save_seeds(store, "paper", seeds=1, source="/x/demo.py", source_digest=digest)
    with pytest.raises(KeyError, match=r"'/x/demo.py/paper \[source_digest=two\]'"):
        find_runs(store, "/x/demo.py/paper")
    assert find_runs(store, "/x/demo.py/paper [source_digest=two]")[1] == {"toybox": ids}


def test_overrides_that_differ_are_in_the_labels_and_shared_ones_in_the_caption(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for weight in (10, 2, 0.5):
        overrides = {"budget.iterations": 20, "sgd.weight": weight}
        save_seeds(store, "paper", overrides=overrides, config={"sgd": {"weight": weight}})
    plan = make_plan(store, ["demo"])
    assert [row.label for row in plan.rows] == [f"paper [sgd.weight={weight}]" for weight in (0.5, 2, 10)]
    assert plan.title == "demo [budget.iterations=20]"


def test_overrides_in_a_name_are_not_in_the_caption_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for split in ("toybox", "voc12"):
        save_seeds(store, "paper", split=split, overrides={"budget.iterations": 20})
    name = "demo/paper [budget.iterations=20]"
    assert make_plan(store, [name]).title == name


def test_rows_with_the_same_words_are_told_apart_by_their_settings(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save_seeds(store, "paper", config={"weight": 1})
    save_seeds(store, "paper", config={"weight": 2})
    labels = {row.label for row in make_plan(store, ["demo"]).rows}
    assert labels == {"paper [config_identity.weight=1]", "paper [config_identity.weight=2]"}


def test_the_same_variant_of_two_methods_has_the_method_in_front(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save_seeds(store, "paper")
    save_seeds(store, "paper", method="other")
    assert [row.label for row in make_plan(store, ["demo", "other"]).rows] == ["demo/paper", "other/paper"]


def test_rows_of_one_label_on_two_splits_or_settings_keep_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for changes in ({}, {"split": "voc12"}, {"max_images": 4}):
        save_seeds(store, "paper", **changes)
    assert list_labels(make_plan(store, ["demo"])) == [
        ("paper", split, [0, 1]) for split in ("toybox", "toybox", "voc12")
    ]
    assert list_labels(make_plan(store, ["demo"], split="voc12")) == [("paper", "voc12", [0, 1])]


def test_runs_are_named_by_parts_of_their_ids(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids, other = save_seeds(store, "paper"), save_seeds(store, "no SGD")
    plan = make_plan(store, [ids[1][-16:], "demo-no-sgd"])
    assert [row.ids for row in plan.rows] == [{1: ids[1]}, other]
    with pytest.raises(KeyError, match="'toybox' is ambiguous: it matches 4 runs"):
        make_plan(store, ["toybox"])


def test_an_exact_label_stands_for_its_row_and_not_for_longer_ones(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = save_seeds(store, "no SGD")
    save_seeds(store, "no SGD, no SAM")
    for name in ("no SGD", "no-sgd", "demo/no-sgd"):
        assert list_labels(make_plan(store, [name])) == [("no SGD", "toybox", [0, 1])]
        assert make_plan(store, [name]).rows[0].ids == ids


def test_a_run_that_cannot_be_read_is_a_row_beside_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path)
    broken, other = save_seeds(store, "paper")[1], save_seeds(store, "no SGD")
    store.run(broken).record_path.write_text("{")
    notes = list[str]()
    plan = make_plan(store, [broken, "demo/no SGD"], notify=notes.append)
    assert plan.baseline == "demo/no SGD" and notes[0].startswith("baseline: 'no SGD', the first row that can be read")
    assert make_plan(store, ["demo/no SGD", broken], notify=pytest.fail).baseline == ""
    assert [(row.label, row.split, row.ids) for row in plan.rows] == [
        (broken, "toybox", {1: broken}),
        ("no SGD", "toybox", other),
    ]


def test_the_caption_of_imported_rows_has_their_names(tmp_path: Path) -> None:
    store = Store(tmp_path)
    save_seeds(store, "perf ☃", method="imported", engine="imported")
    assert make_plan(store, ["imported-perf"]).title == "perf ☃"


@pytest.mark.parametrize(
    ("names", "split", "message"),
    [
        (["spnet"], "", r"no study, method or run 'spnet'; .* holds study demo, method demo"),
        (["demo/papre"], "", r"no variant of demo 'papre'; did you mean 'paper'\? .* holds runs of: 'no SGD', 'paper'"),
        (["./demo.py/papre"], "", r"no variant of demo 'papre'; did you mean 'paper'\?"),
        (["demo"], "toybx", r"no row on split 'toybx'; did you mean 'toybox'\? There are rows on: toybox"),
        (["demo"], "voc12", r"demo in .* has no row on split 'voc12'; there are rows on: toybox"),
        (
            ["ablations"],
            "",
            r"study 'ablations' was never planned in .*; begin with: chimera-bench --runs .* run ablations",
        ),
    ],
)
def test_a_name_of_nothing_is_refused_with_what_there_is(
    tmp_path: Path, names: list[str], split: str, message: str
) -> None:
    store = Store(tmp_path)
    store.write_plan(two_rows(store))
    with pytest.raises(KeyError, match=message):
        make_plan(store, names, split=split)


def test_the_beginning_of_a_variant_on_several_splits_is_answered_with_the_variant(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for split in ("toybox", "toybox_tune"):
        save(store, spec_of("Patch adapter", split=split), even(80, 60))
    with pytest.raises(KeyError, match=r"no variant of demo 'Patch'; did you mean 'Patch adapter'\?"):
        make_plan(store, ["demo/Patch"])
    with pytest.raises(KeyError, match=r"no row on split 'toybx@\*'; did you mean 'toybox'"):
        make_plan(store, ["demo"], split="toybx@*")


def test_a_study_whose_name_goes_on_is_suggested_before_a_similar_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = two_rows(store)
    for study in ("b+max_images=20", "a+max_images=20+split=voc12"):
        store.write_plan(plan.model_copy(update={"study": study}))
    with pytest.raises(KeyError, match=r"did you mean 'a\+max_images=20\+split=voc12'\?"):
        make_plan(store, ["a+max_images=20"])


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"there are no runs in .*; give another folder with --runs"):
        make_plan(Store(tmp_path), ["demo"])


def test_a_study_comes_before_a_method_of_its_name_and_that_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_plan(two_rows(store))
    assert make_plan(store, ["demo"]).title == "Demo study"
    (text,) = describe_ambiguous(store, ["demo", "demo/paper"])
    assert "'demo' is a study and a method" in text and "demo/VARIANT" in text


def test_records_alone_are_enough_and_a_broken_run_does_not_hide_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids, broken = save_seeds(store, "paper"), save_seeds(store, "no SGD", seeds=1)
    store.run(broken[0]).record_path.write_text("{")
    notes = list[str]()
    assert [row.ids for row in make_plan(store, ["demo"], notify=notes.append).rows] == [ids]
    assert notes == [f"left out of demo, as neither record nor spec can be read: {broken[0]}"]


def test_imported_predictions_are_named_by_their_own_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = save_seeds(store, "SAM 3", seeds=1, method="imported", engine="imported")
    save_seeds(store, "paper")
    plan = make_plan(store, ["demo", "sam 3"])
    assert [(row.label, row.method) for row in plan.rows] == [("paper", "demo"), ("SAM 3", "imported")]
    assert find_runs(store, "SAM 3") == ("SAM 3", {"toybox": ids})
    with pytest.raises(KeyError, match="holds method SAM 3, method demo"):
        make_plan(store, ["SAM 4"])
