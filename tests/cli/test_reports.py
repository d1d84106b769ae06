"""Tests of `table`, `compare` and `plan`: baselines, selected columns, margins and deterministic rows."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.report.world import plan_splits, save_splits, two_rows


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Return the folder of a store with the study `demo` of two rows."""
    store = Store(tmp_path)
    store.write_plan(two_rows(store))
    return str(tmp_path)


def test_the_baseline_of_a_table_is_an_option(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "--runs", runs, "table", "demo", "--baseline", "no SGD", "--json")
    value = json.loads(out)
    assert (code, value["baseline"]) == (0, "no SGD")
    assert [row["hiou_difference"] is None for row in value["rows"]] == [False, True]


def test_the_baseline_of_a_study_is_that_of_its_table(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(runs)
    store.write_plan(store.read_plan("demo").model_copy(update={"baseline": "no SGD"}))
    assert json.loads(run_command(capsys, "--runs", runs, "table", "demo", "--json").out)["baseline"] == "no SGD"


def test_columns_of_a_table_are_selected_by_key(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--runs", runs, "table", "demo", "-f", "md", "--columns")
    code, out, _ = run_command(capsys, *arguments, "miou, runs_done")
    assert code == 0 and "| Method | mIoU | n |" in out
    code, out, err = run_command(capsys, *arguments, "miuo")
    assert code == 1 and "did you mean 'miou'" in err and "hiou_rank" in err


def test_compare_tests_against_a_margin(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    sides = ("--runs", runs, "compare", "paper", "no SGD", "--study", "demo")
    code, out, _ = run_command(capsys, *sides, "--margin", "1.0")
    assert code == 0 and "not worse by more than 1.0" in out and "better by" in out
    assert "margin" not in run_command(capsys, *sides).out


def test_the_scores_of_a_comparison_are_selected(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    sides = ("--runs", runs, "compare", "paper", "no SGD", "--study", "demo", "--metrics")
    code, out, _ = run_command(capsys, *sides, "miou_image,hiou", "--json")
    assert code == 0 and list(json.loads(out)["differences"]) == ["hiou", "miou_image"]
    code, _, err = run_command(capsys, *sides, "hiuo")
    assert code == 1 and "no metric 'hiuo'; did you mean 'hiou'" in err


def test_a_key_in_another_case_is_recognized(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "--runs", runs, "table", "demo", "--columns", "HIOU")
    assert code == 1 and "no column 'HIOU'; did you mean 'hiou'" in err


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("table", "demo", "--baseline", ""), "--baseline"),
        (("table", "demo", "--columns", " , "), "--columns"),
        (("compare", "paper", "no SGD", "--study", "demo", "--metrics", ""), "--metrics"),
    ],
)
def test_an_empty_option_gets_one_line(
    runs: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], option: str
) -> None:
    code, out, err = run_command(capsys, "--runs", runs, *arguments)
    assert code == 1 and not out and err.startswith(f"error: {option} is ") and err.count("\n") == 1


@pytest.mark.parametrize("margin", ["-1", "0", "nan"])
def test_a_margin_that_is_not_positive_gets_one_line(
    runs: str, capsys: pytest.CaptureFixture[str], margin: str
) -> None:
    code, out, err = run_command(
        capsys, "--runs", runs, "compare", "paper", "no SGD", "--study", "demo", f"--margin={margin}"
    )
    assert code == 1 and not out and err.startswith("error: margin is ") and err.count("\n") == 1


def test_the_plan_of_a_deterministic_row_has_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "free.yaml"
    study.write_text("{title: Free, split: toybox, seeds: [0, 1], rows: [maskclip/MaskCLIP, spnet]}")
    code, out, _ = run_command(capsys, "--runs", str(tmp_path / "runs"), "plan", str(study))
    row = next(line for line in out.splitlines() if line.startswith("MaskCLIP"))
    assert code == 0 and "3 runs" in out and row.split() == ["MaskCLIP", "missing", "-"]


def test_a_table_takes_methods_and_runs_and_options_of_its_layout(
    runs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = Store(runs).read_plan("demo").rows[0].ids[1]
    arguments = ("--runs", runs, "table", "demo/no SGD", run_id, "--no-notes", "--digits", "3", "--columns", "hiou")
    code, out, _ = run_command(capsys, *arguments, "--sort", "hiou,desc", "-f", "md")
    assert code == 0 and [line.split(" | ")[0] for line in out.splitlines()[2:]] == [
        "| Method", "| :--", "| paper", "| no SGD"
    ]  # fmt: skip
    assert out.splitlines()[-1].split(" | ")[1].startswith("37.087 ±")


def test_a_wide_table_is_one_block_and_is_written_to_a_file(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folded = run_command(capsys, "--runs", runs, "table", "demo").out
    code, _, err = run_command(capsys, "--runs", runs, "table", "demo", "--wide", "--out", str(tmp_path / "t.txt"))
    text = (tmp_path / "t.txt").read_text(encoding="utf-8")
    assert code == 0 and "wrote" in err
    assert (folded.count("\npaper "), text.count("\npaper ")) == (2, 1)


def test_a_name_that_is_a_study_and_a_method_is_noted(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "--runs", runs, "table", "demo")
    assert code == 0 and err.count("\n") == 1 and "this is the study; demo/VARIANT" in err


def test_compare_takes_methods_without_a_study_and_writes_csv(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "--runs", runs, "compare", "demo/paper", "demo/no SGD", "-f", "csv")
    lines = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and [line["name"] for line in lines[:3]] == ["miou_seen", "miou_unseen", "hiou"]
    assert float(lines[2]["difference"]) == pytest.approx(float(lines[2]["a"]) - float(lines[2]["b"]), abs=1e-5)
    assert {line["kind"] for line in lines} == {"score", "kind", "class", "cost"}


def test_compare_leaves_out_notes_and_folding(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    sides = ("--runs", runs, "compare", "demo/paper", "demo/no SGD")
    code, out, _ = run_command(capsys, *sides, "--no-notes", "--wide", "--digits", "2")
    assert code == 0 and "Scores in percent" not in out and "Cost" in out and "67.37" in out


def test_results_are_exported_in_long_format(runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lines.csv"
    code, _, err = run_command(capsys, "--runs", runs, "export", "demo", "--out", str(path))
    lines = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    assert code == 0 and f"wrote {path} ({len(lines)} lines)" in err
    assert {line["metric"] for line in lines if line["class"] == "cup"} >= {"iou", "precision", "target_pixels"}
    code, _, err = run_command(capsys, "--runs", runs, "export", "demo", "--out", str(tmp_path / "lines.xls"))
    assert code == 1 and "the suffix says which format to write" in err


def test_single_images_are_exported(runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "images.json"
    assert run_command(capsys, "--runs", runs, "export", "demo", "--per-image", "--out", str(path)).code == 0
    assert {line["image"] for line in json.loads(path.read_text())} == {f"image{index:02d}" for index in range(4)}


def test_an_export_of_single_images_says_which_runs_are_not_in_it(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(runs)
    shutil.rmtree(store.run(store.read_plan("demo").rows[1].ids[0]).path)
    arguments = ("--runs", runs, "export", "demo", "--out", str(tmp_path / "lines.csv"))
    assert "without a result" not in run_command(capsys, *arguments).err
    err = run_command(capsys, *arguments, "--per-image", "--overwrite").err
    assert "1 run without a result has no lines: no SGD seed 0 on toybox (missing)\n" in err


def test_a_figure_whose_format_is_given_twice_is_drawn_once(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--runs", runs, "plot", "demo", "--out", str(tmp_path / "figures"), "--format", "svg, svg")
    paths = run_command(capsys, *arguments).out.splitlines()
    assert len(paths) == len(set(paths)) > 1


def test_figures_have_the_formats_that_are_asked_for(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--runs", runs, "plot", "demo/paper", "--out", str(tmp_path / "figures"), "--format", "svg")
    code, out, _ = run_command(capsys, *arguments)
    assert code == 0 and [Path(line).name for line in out.splitlines()] == [
        "hiou.svg", "seen-unseen.svg", "gamma.svg", "classes.svg"
    ]  # fmt: skip
    code, _, err = run_command(capsys, *arguments[:-1], "gif")
    assert code == 1 and "no figure format 'gif'" in err


def test_a_split_without_rows_is_refused_with_those_there_are(runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "--runs", runs, "table", "demo", "--split", "voc12")
    assert code == 1 and "no row on split 'voc12'; there are rows on: toybox" in err


@pytest.mark.parametrize("command", [("table", "demo"), ("compare", "paper", "no SGD", "--study", "demo")])
def test_two_formats_at_once_are_refused(
    runs: str, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    code, out, err = run_command(capsys, "--runs", runs, *command, "-f", "csv", "--json")
    assert (code, out) == (2, "") and "two formats" in err
    assert run_command(capsys, "--runs", runs, *command, "-f", "json", "--json").code == 0


@pytest.mark.parametrize(
    "options", [("--images", "--select", "image00,nope"), ("--select", "first 0"), ("--format", "png,bmp")]
)
def test_wrong_options_of_plot_are_refused_before_anything_is_drawn(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    code, out, _ = run_command(capsys, "--runs", runs, "plot", "demo", "--out", str(tmp_path / "figures"), *options)
    assert (code, out) == (1, "") and not (tmp_path / "figures").exists()


@pytest.fixture
def split_runs(tmp_path: Path) -> str:
    """Return the folder of a store with the study `demo` of two rows on three splits."""
    store = Store(tmp_path / "splits")
    lost = {"paper": {0: 0, 1: 0, 2: 0}, "no SGD": {0: 10, 1: 15, 2: 20}}
    store.write_plan(plan_splits(*(save_splits(store, label, less) for label, less in lost.items())))
    return str(tmp_path / "splits")


def test_a_table_of_several_splits_has_a_row_per_method_unless_they_are_kept_apart(
    split_runs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--runs", split_runs, "table", "demo", "-f", "md", "--no-notes")
    pooled, apart = (run_command(capsys, *arguments, *more).out.splitlines() for more in ((), ("--by-split",)))
    assert len([line for line in pooled if line.startswith("| paper")]) == 1 and "| Sign |" in pooled[2]
    assert len([line for line in apart if line.startswith("| paper")]) == 3 and "| Split |" in apart[2]


def test_the_effect_by_split_is_drawn_unless_splits_are_kept_apart(
    split_runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--runs", split_runs, "plot", "demo", "-f", "svg", "--out")
    pooled = run_command(capsys, *arguments, str(tmp_path / "p")).out
    apart = run_command(capsys, *arguments, str(tmp_path / "a"), "--by-split").out
    assert "p/effect-by-split.svg" in pooled and "effect-by-split" not in apart
    assert "a/toybox-2-s0-01/hiou.svg" in apart


def test_two_rows_are_compared_over_their_splits_or_on_one(split_runs: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--runs", split_runs, "compare", "demo/paper", "demo/no SGD", "--json")
    pooled, single = (
        json.loads(run_command(capsys, *arguments, *more).out) for more in ((), ("--split", "toybox@2-s0-01"))
    )
    assert [split["name"] for split in pooled["splits"]] == [f"toybox@2-s0-0{number}" for number in range(3)]
    assert single["splits"] == [] and single["a"]["split"] == "toybox@2-s0-01"
