"""Studies and their expansion into runs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from benchmark.core.grid import GridRow
from benchmark.core.plan import Plan, PlanRow
from benchmark.core.split import SPLITS, list_splits, load_split
from benchmark.core.study import Study, list_studies, load_study
from benchmark.planning.expand import expand, label_rows
from benchmark.planning.method_setup import resolve_method
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store

TINY = "tests/cli/tiny_method.py"


def _study(**changes: object) -> Study:
    fields = {"name": "tiny", "title": "Tiny", "split": "toybox", "seeds": [0, 1], "rows": [TINY]}
    return Study.model_validate(fields | changes)


def _file(folder: Path, text: str) -> str:
    path = folder / "grid.yaml"
    path.write_text(text)
    return str(path)


def _write_split(folder: Path, name: str) -> str:
    """Write a split like toybox under another name, with one unseen class less; return its path."""
    fields = yaml.safe_load((SPLITS / "toybox.yaml").read_text())
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(fields | {"unseen": fields["unseen"][:-1]}))
    return str(path)


def _uses_toybox(name: str) -> bool:
    return all(load_split(split).dataset == "toybox" for split in load_study(name).list_splits())


@pytest.mark.parametrize("name", [name for name in list_studies() if _uses_toybox(name)])
def test_every_included_study_can_be_planned(name: str) -> None:
    planned = expand(load_study(name))
    assert len(set(planned.plan.ids)) == len(planned.specs) == len(planned.plan.ids)


@pytest.mark.parametrize("name", [name for name in list_studies() if name.startswith("ablations_")])
def test_ablations_on_real_data_draw_ten_splits_with_the_published_one_first(name: str) -> None:
    splits, study = [load_split(split) for split in load_study(name).list_splits()], load_study(name)
    assert len({split.unseen for split in splits}) == 10 and splits[0].name in list_splits()
    assert {(split.dataset, len(split.unseen)) for split in splits} == {(splits[0].dataset, len(splits[0].unseen))}
    for row in study.rows:
        resolve_method(row.method, split=splits[1].name)


def test_a_plan_has_every_row_by_every_seed_in_order() -> None:
    planned = expand(_study(rows=[TINY, {"method": TINY, "set": {"scale": 0.5}}]))
    assert [row.label for row in planned.plan.rows] == ["Tiny", "Tiny [scale=0.5]"]
    assert planned.plan.ids == tuple(spec.id for spec in planned.specs)
    assert [spec.seed for spec in planned.specs] == [0, 1, 0, 1]


def test_every_cell_equals_the_run_resolved_alone() -> None:
    scales, seeds, budget = (9.0, 12.5), (4, 0, 17), {"budget.iterations": 5}
    rows = [{"method": "chimera_seg", "set": {"logit_scale": scale}} for scale in scales]
    planned = expand(_study(rows=rows, seeds=seeds, set=budget))
    alone = [
        resolve("chimera_seg", split="toybox", seed=seed, overrides={**budget, "logit_scale": scale})
        for scale in scales
        for seed in seeds
    ]
    assert planned.specs == tuple(alone)
    assert [spec.id for spec in planned.specs] == [spec.id for spec in alone] == list(planned.plan.ids)


def test_specs_of_some_runs_come_in_the_requested_order() -> None:
    planned = expand(_study(rows=[TINY, f"{TINY}/no scale"]))
    some = planned.plan.ids[3], planned.plan.ids[0]
    assert [spec.id for spec in planned.make_specs(some)] == list(some)


def test_a_thousand_seeds_are_planned_within_a_second() -> None:
    expand(_study(seeds=[0]))  # loads the method file and the data
    start = time.process_time()
    assert len(set(expand(_study(seeds=list(range(1000)))).plan.ids)) == 1000
    assert time.process_time() - start < 1


def test_a_plan_is_the_same_after_being_written_and_read() -> None:
    plan = expand(_study()).plan
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_every_row_is_planned_on_each_of_its_splits_grouped_by_split(tmp_path: Path) -> None:
    other = _write_split(tmp_path, "other")
    rows = [TINY, {"method": f"{TINY}/no scale", "split": other}]
    planned = expand(_study(split=["toybox", other], rows=rows))
    cells = [(row.label, row.split) for row in planned.plan.rows]
    assert cells == [("Tiny", "toybox"), ("Tiny", "other"), ("no scale", "other")]
    assert [spec.split for spec in planned.specs] == ["toybox"] * 2 + ["other"] * 4
    assert planned.plan.splits == ("toybox", "other")


def test_a_row_may_have_its_own_seeds_and_protocol() -> None:
    rows = [TINY, {"method": TINY, "seeds": [7], "protocol": "zegformer"}]
    planned = expand(_study(rows=rows))
    assert [(row.label, list(row.ids)) for row in planned.plan.rows] == [
        ("Tiny", [0, 1]),
        ("Tiny [protocol=zegformer]", [7]),
    ]
    assert [spec.protocol.name for spec in planned.specs] == ["plain", "plain", "zegformer"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": []}, r"row 1 .*has no split: give split: NAME"),
        ({"seeds": []}, r"row 1 .*has no seeds: give seeds:"),
        ({"split": ["toybox", "toybox"]}, "toybox is given more than once"),
        ({"rows": [{"method": TINY, "seeds": [1, 1]}]}, "1 is given more than once"),
    ],
)
def test_splits_and_seeds_are_given_for_every_row_and_once(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _study(**changes)


def test_overrides_of_a_row_precede_those_of_the_study() -> None:
    planned = expand(_study(set={"scale": 1.0, "budget.iterations": 7}, rows=[{"method": TINY, "set": {"scale": 2.0}}]))
    assert planned.specs[0].config["scale"] == 2.0
    assert planned.specs[0].budget.iterations == 7


def test_overrides_of_the_study_are_not_repeated_in_every_label() -> None:
    assert expand(_study(set={"scale": 1.0})).plan.rows[0].label == "Tiny"


def test_a_number_that_yaml_reads_as_text_gives_the_same_run(tmp_path: Path) -> None:
    head = f"title: Tiny\nsplit: toybox\nseeds: [0]\nrows: [{Path(TINY).absolute()}]\n"
    planned = expand(load_study(_file(tmp_path, head + "set: {scale: 1e-4}\n")))
    assert planned.specs[0].id == expand(_study(seeds=[0], set={"scale": 0.0001})).specs[0].id


def test_labels_show_as_much_of_a_path_as_tells_rows_apart() -> None:
    given = [GridRow("m", "toybox", (0,), shown={"w": path}) for path in ("/x/a/c.pt", "/x/b/c.pt")]
    planned = [PlanRow(label="v", method="m", split="toybox", ids={}) for _ in given]
    assert [row.label for row in label_rows(given, planned)] == ["v [w=a/c.pt]", "v [w=b/c.pt]"]
    assert [row.label for row in label_rows(given[:1], planned[:1])] == ["v [w=c.pt]"]


def test_rows_that_are_the_same_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="are the same runs"):
        expand(_study(rows=[TINY, {"method": f"{TINY}/tiny", "label": "again"}]))


def test_rows_with_one_name_are_refused() -> None:
    rows = [{"method": TINY, "label": "x"}, {"method": f"{TINY}/no scale", "label": "x"}]
    with pytest.raises(ValueError, match="two rows are called 'x'"):
        expand(_study(rows=rows))


def test_an_unknown_setting_names_study_row_and_nearest() -> None:
    with pytest.raises(KeyError, match=r"study 'tiny', row 1 .*did you mean 'scale'"):
        expand(_study(set={"scal": 1.0}))


def test_an_impossible_value_names_study_and_row() -> None:
    with pytest.raises(ValueError, match=r"study 'tiny', row 1 .*scale"):
        expand(_study(set={"scale": "wide"}))


def test_an_unknown_study_names_the_nearest() -> None:
    with pytest.raises(KeyError, match="did you mean 'ablations'"):
        load_study("ablation")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: T\nsplit: toybox\nseeds: [0]\n", "rows is missing"),
        ("title: T\nsplit: toybox\nseeds: [0]\nrows: [a]\nsplits: x\n", "both split and splits are given"),
        ("title: T\nseeds: [0]\nrows: [a]\nsplits: {a: b}\n", "line 4: splits: expected a name or a list of names"),
        ("title: T\nsplit: toybox\nseeds: [0, 0]\nrows: [a]\n", "seeds: 0 is given more than once"),
        ("title: [", "not a valid study"),
        ("- 1\n", "not a valid study"),
        ("title: T\nsplit: toybox\nseeds: [0]\nrows: [a]\nlimit: 5\n", "'limit' is now called 'max_images'"),
    ],
)
def test_a_broken_study_file_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"grid\.yaml is not a valid study") as caught:
        load_study(_file(tmp_path, text))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_paths_in_a_study_are_relative_to_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w.pt").write_bytes(b"")
    rows = "rows: [mine.py, sub/mine.py/no scale, {method: spnet/SPNet, set: {clip.weights: w.pt, other: v.pt}}]"
    file = _file(tmp_path, f"title: T\nsplit: ./mine.yaml\nprotocol: ../rules.yaml\nseeds: [0]\n{rows}\n")
    monkeypatch.chdir("/")
    study = load_study(file)
    assert [row.method for row in study.rows] == [
        f"{tmp_path}/mine.py",
        f"{tmp_path}/sub/mine.py/no scale",
        "spnet/SPNet",
    ]
    assert study.rows[2].set == {"clip.weights": f"{tmp_path}/w.pt", "other": "v.pt"}
    assert (Path(study.split[0]), Path(study.protocol)) == (tmp_path / "mine.yaml", tmp_path / "../rules.yaml")


def test_a_row_keeps_the_words_it_was_given_in() -> None:
    planned = expand(_study(rows=[TINY, {"method": TINY, "set": {"scale": 0.5, "budget.batch_size": 4}}]))
    assert planned.plan.rows[1].label == "Tiny [scale=0.5, budget.batch_size=4]"


def test_a_plan_of_an_older_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.write_plan(expand(_study()).plan)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(ValueError, match=r"tiny\.json was written by an older version .*plan the study again$"):
        store.read_plan("tiny")


def test_an_old_plan_of_an_included_study_names_the_command(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.write_plan(expand(_study(name="demo")).plan)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(ValueError, match=rf"plan the study again: chimera-bench --runs {tmp_path} plan demo$"):
        store.read_plan("demo")


def test_a_plan_whose_file_has_one_split_for_all_rows_is_read(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), expand(_study()).plan
    path = store.write_plan(plan)
    fields = json.loads(path.read_text()) | {"format": 3, "split": "toybox"}
    rows = [{key: value for key, value in row.items() if key != "split"} for row in fields["rows"]]
    path.write_text(json.dumps(fields | {"rows": rows}))
    assert store.read_plan("tiny") == plan


@pytest.mark.parametrize("label", ["", "  "])
def test_a_blank_label_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="the text is blank"):
        _study(rows=[{"method": TINY, "label": label}])


def test_a_negative_seed_is_named_alone() -> None:
    with pytest.raises(ValueError, match="-1 is negative: give seeds from 0"):
        _study(seeds=[0, -1])


@pytest.mark.parametrize("value", [True, "20"])
def test_a_number_is_no_text_and_not_true(value: object) -> None:
    with pytest.raises(ValueError, match="max_images"):
        _study(max_images=value)
    with pytest.raises(ValueError, match=r"budget\.iterations=(true|'20'): expected a whole number"):
        expand(_study(set={"budget.iterations": value}))
