"""Papers as data: what a file may say, names of tables, and the study behind a table."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.core.paper import Paper, PaperTable
from benchmark.core.paper_files import list_papers, read_paper
from benchmark.core.paper_tables import (
    explain_missing_table,
    explain_whole_paper,
    is_table,
    list_tables,
    load_table,
    make_table_study,
    read_name,
    spell_planned_table,
)
from benchmark.core.split import SPLITS
from benchmark.planning.expand import expand
from benchmark.planning.registry import list_methods, list_variants
from benchmark.planning.resolve import outline
from benchmark.planning.run_code import describe_code
from benchmark.published.read import find_rows, read_published
from benchmark.report.papers.published_match import match_published

TINY = "tests/cli/tiny_method.py"


def make_table(**changes: Any) -> PaperTable:
    """Return a table with two rows of ours on one split."""
    fields: dict[str, Any] = {
        "title": "Main",
        "datasets": [{"label": "Toybox", "split": "toybox"}],
        "rows": [{"label": "a", "method": "spnet/SPNet"}, {"label": "b", "published": "ZegCLIP"}],
    }
    return PaperTable.model_validate(fields | changes)


def write_paper(folder: Path, **tables: Any) -> str:
    """Write a paper with these tables and return its path."""
    path = folder / "mine.yaml"
    plain = {name: table.model_dump(mode="json", exclude_defaults=True) for name, table in tables.items()}
    path.write_text(yaml.safe_dump({"title": "Mine", "citation": "none", "source": "ours", "tables": plain}))
    return str(path)


@pytest.mark.parametrize("name", list_tables())
def test_every_table_can_be_planned_and_names_published_methods(name: str) -> None:
    named = load_table(name)
    study = make_table_study(named)
    assert len(expand(study, resolve_run=outline).plan.rows) == len(named.table.own_rows) * len(named.table.splits)
    published = read_published()
    rows = [row for row in named.table.rows if row.published is not None]
    for row in rows:
        assert row.published is not None
        wanted, setting = row.published, named.table.setting
        assert any(match_published(published, wanted, dataset, setting=setting) for dataset in named.table.datasets)


@pytest.mark.parametrize("name", list_tables())
def test_every_table_can_be_planned_on_toybox(name: str) -> None:
    planned = expand(make_table_study(load_table(name), ["toybox"]))
    assert len(set(planned.plan.ids)) == len(planned.plan.ids) > 0


def test_no_table_has_the_name_of_a_variant() -> None:
    names = {f"{method}/{variant}" for method in list_methods() for variant in list_variants(method)}
    assert not names & {name.replace("-", "_") for name in list_tables()}


def test_names_of_papers_have_hyphens_or_underscores() -> None:
    assert is_table("chimera-seg/main") and is_table("chimera_seg/main") and not is_table("chimera_seg/no CSH")
    assert str(read_name("chimera_seg/main+max_images=4")) == "chimera-seg/main+max_images=4"
    assert "did you mean 'main'" in explain_missing_table("chimera-seg/mian")
    assert set(list_papers()) == {name.partition("/")[0].replace("-", "_") for name in list_tables()}


def test_plans_of_a_table_are_those_on_its_splits_and_with_its_settings() -> None:
    plans = ["a.main", "a.main.toybox", "a.main2", "a.main+max_images=4", "a.main.toybox+max_images=4", "b.main"]
    assert read_name("a/main").select_plans(plans) == ["a.main", "a.main.toybox"]
    assert read_name("a/main+max_images=4").select_plans(plans) == ["a.main+max_images=4", "a.main.toybox+max_images=4"]


def test_changed_settings_of_a_name_have_any_order_and_are_options_of_run() -> None:
    name, plans = read_name("a/main+b.c=2+max_images=4"), ["a.main+max_images=4+b.c=2", "a.main.toybox+x=1", "a.main"]
    assert name.select_plans(plans) == plans[:1]
    assert name.list_changed(plans) == ["a/main+max_images=4+b.c=2", "a/main+x=1"]
    assert name.run_words == ["a/main", "--set", "b.c=2", "--max-images", "4"]


def test_overrides_of_a_split_hold_on_it_and_on_splits_drawn_from_it(tmp_path: Path) -> None:
    row = {"label": "a", "method": "spnet/SPNet", "set": {"x": 1}, "set_on": {"toybox": {"x": 2, "y": 3}}}
    path = write_paper(tmp_path, main=make_table(rows=[row]))
    study = make_table_study(load_table(f"{path}/main"), ["voc12", "toybox@stuff3+things3-s0-00", "toybox"])
    assert [(dict(some.set), some.split) for some in study.rows] == [
        ({"x": 1}, ("voc12",)),
        ({"x": 2, "y": 3}, ("toybox@stuff3+things3-s0-00", "toybox")),
    ]


def test_a_table_of_published_numbers_alone_has_no_study(tmp_path: Path) -> None:
    path = write_paper(tmp_path, main=make_table(rows=[{"label": "b", "published": "ZegCLIP"}]))
    with pytest.raises(ValueError, match="no row with a method"):
        make_table_study(load_table(f"{path}/main"))


def test_files_of_a_paper_are_found_from_any_folder(tmp_path: Path) -> None:
    shutil.copy(SPLITS / "toybox.yaml", tmp_path / "own.yaml")
    drawn = {"label": "D", "resampled": {"of": "own.yaml", "count": 1, "unseen": 2}}
    row = {"label": "a", "method": "spnet/SPNet", "set_on": {"own": {"x": 1}}}
    path = write_paper(tmp_path, main=make_table(datasets=[drawn], rows=[row]))
    assert load_table(f"{path}/main").table.splits == (f"{tmp_path}/own.yaml@2-s0-00",)


def test_a_paper_without_a_table_is_answered_with_its_tables(tmp_path: Path) -> None:
    path = write_paper(tmp_path, main=make_table(), other=make_table())
    assert explain_whole_paper(path).endswith(f"give one of its tables: {path}/main, {path}/other")
    assert "chimera-seg/main, chimera-seg/components" in explain_whole_paper("chimera_seg")
    (tmp_path / "study.yaml").write_text("title: x\n")
    assert not any(map(explain_whole_paper, ("demo", "peers", f"{tmp_path}/study.yaml", f"{tmp_path}/none.yaml")))


def test_the_words_that_print_what_was_planned_name_the_table() -> None:
    name = "chimera-seg/head"
    assert spell_planned_table(name, "chimera-seg.head", ()) == (name,)
    plan, split = "chimera-seg.head.toybox+max_images=4", ["toybox"]
    assert spell_planned_table(name, plan, split) == (f"{name}+max_images=4", "--split", "toybox")
    two = ["voc12", "pascal_context59"]
    assert spell_planned_table(name, "chimera-seg.head.voc12.pascal_context59", two, own=two) == (name,)
    assert spell_planned_table(name, "mine", ()) == spell_planned_table("peers", "mine", ()) == ("mine",)


def test_a_missing_table_of_a_file_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = write_paper(tmp_path, main=make_table())
    with pytest.raises(KeyError, match="did you mean 'main'"):
        load_table(f"{path}/mian")
    with pytest.raises(KeyError, match="no paper file"):
        load_table(f"{tmp_path}/other.yaml/main")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": [{"label": "a"}]}, "neither a method nor imported predictions nor published numbers"),
        ({"rows": [{"label": "a", "published": "x", "set": {"b": 1}}]}, "no method"),
        ({"rows": [{"label": "a", "imported": "x", "set": {"b": 1}}]}, "no method"),
        ({"rows": [{"label": "a", "imported": "x", "method": "y"}]}, "a method and imported predictions"),
        ({"rows": [{"label": "a", "published": "x", "protocol": "plain"}]}, "remove the protocol"),
        ({"rows": [{"label": "a", "imported": {"name": "x", "on": {"toybox": "y"}}}]}, "did you mean 'Toybox'"),
        ({"rows": [{"label": "a", "method": "x"}, {"label": "a", "method": "y"}]}, "two rows are called 'a'"),
        ({"rows": [{"label": "a", "method": "x", "parts": ["CSH"]}]}, "no part 'CSH'"),
        ({"datasets": [{"label": "A"}]}, "no split"),
        ({"datasets": [{"label": "A", "split": "x"}, {"label": "A", "split": "y"}]}, "two datasets"),
        ({"columns": []}, "at least 1 item"),
        ({"columns": ["hiou", "hiou"]}, "two columns are called 'hiou'"),
        ({"compared": "latency_ms"}, "compared"),
        ({"setting": "inductif"}, "setting"),
        ({"seeds": []}, "at least 1 item"),
        ({"rows": [{"label": "a", "method": "x", "set_on": {"toybxo": {}}}]}, "did you mean 'toybox'"),
        ({"baseline": "c"}, "no row with a method or imported predictions to be the baseline 'c'"),
    ],
)
def test_impossible_tables_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_table(**changes)


def test_names_of_tables_leave_room_for_names_of_plans() -> None:
    with pytest.raises(ValueError, match="names of plans use"):
        Paper.model_validate(
            {"name": "p", "title": "P", "citation": "c", "source": "s", "tables": {"a.b": make_table().model_dump()}}
        )


def test_a_misspelt_key_of_a_paper_is_named_with_its_line(tmp_path: Path) -> None:
    path = Path(write_paper(tmp_path, main=make_table()))
    path.write_text(path.read_text().replace("citation", "citatoin"))
    with pytest.raises(ValueError, match=r"line .*citatoin"):
        read_paper(path)


def test_methods_of_published_rows_are_found_whatever_the_case() -> None:
    assert find_rows(read_published(), method="zegclip")


def test_no_result_depends_on_papers_and_published_numbers() -> None:
    spec = expand(make_table_study(load_table("chimera-seg/head"), ["toybox"])).first_specs[0]
    code = [name for name in describe_code(spec) if name.startswith("benchmark/")]
    assert code and not [name for name in code if "paper" in name or "published" in name or "report" in name]
