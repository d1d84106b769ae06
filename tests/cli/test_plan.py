"""`plan` as a user meets it: what `run` takes, sweeps, and estimates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli.estimates import format_range, parse_memory_gb
from benchmark.core.study import load_study
from benchmark.planning.expand import expand
from benchmark.store.store import Store
from benchmark.utils.paths import ROOT
from tests.cli.shell import TINY, refuse_writing, run_command
from tests.report.world import even, save

Capsys = pytest.CaptureFixture[str]


def plan_json(capsys: Capsys, runs: Path, *arguments: str) -> dict[str, Any]:
    result = run_command(capsys, "--runs", str(runs), "plan", *arguments, "--json")
    assert result.code == 0, result.err
    value: dict[str, Any] = json.loads(result.out)
    return value


def test_a_method_is_planned_with_the_options_of_run_and_not_saved(tmp_path: Path, capsys: Capsys) -> None:
    options = ("--split", "toybox", "--split", "toybox_tune", "--seed", "3", "--max-images", "5", "--protocol", "plain")
    plan = plan_json(capsys, tmp_path, TINY, *options)
    assert [(row["split"], list(row["ids"])) for row in plan["rows"]] == [("toybox", ["3"]), ("toybox_tune", ["3"])]
    assert (plan["is_saved"], plan["max_images"], Store(tmp_path).list_plans()) == (False, 5, [])


def test_a_sweep_in_one_line_is_saved_and_run_by_the_printed_command(tmp_path: Path, capsys: Capsys) -> None:
    result = run_command(capsys, "--runs", str(tmp_path), "plan", TINY, "--set", "scale=1,2", "--name", "mine")
    assert "Tiny [scale=1]" in result.out and "Tiny [scale=2]" in result.out
    assert result.err.strip().endswith(f"run {TINY} --set scale=1,2 --name mine")
    assert [row.label for row in Store(tmp_path).read_plan("mine").rows] == ["Tiny [scale=1]", "Tiny [scale=2]"]


def test_a_plan_that_cannot_be_saved_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    refuse_writing(monkeypatch)
    command = ("--runs", str(tmp_path), "plan", TINY, "--set", "scale=1,2", "--name", "mine")
    code, out, err = run_command(capsys, *command)
    assert (code, "Tiny [scale=2]" in out) == (0, True)
    assert f"not saved: cannot write {tmp_path}/plans/mine.json: Read-only file system" in err
    assert json.loads(run_command(capsys, *command, "--json").out)["is_saved"] is False


def test_some_seeds_of_a_study_are_shown_and_the_whole_study_is_saved(tmp_path: Path, capsys: Capsys) -> None:
    plan = plan_json(capsys, tmp_path, "ablations", "--split", "toybox", "--seed", "1", "--name", "mine")
    assert len(plan["states"]) == 5
    assert len(Store(tmp_path).read_plan("mine").ids) == 15


def test_run_plan_and_submit_take_the_same_options(capsys: Capsys) -> None:
    names = ("--split", "--protocol", "--seed", "--set", "--engine", "--max-images", "--name")
    helps = [run_command(capsys, command, "--help").out for command in ("run", "plan", "submit")]
    assert all(name in text for text in helps for name in names)
    assert all("sgd.weight: [0.5, 1, 2]" in text and "--set sgd.weight=0.5,1,2" in text for text in helps)


def write_peers(folder: Path, *, splits: list[str]) -> str:
    path, rows = folder / "two.yaml", [{"method": "chimera_seg", "label": "Chimera-Seg"}, "maskclip"]
    path.write_text(json.dumps({"title": "Two", "splits": splits, "seeds": [0, 1], "rows": rows}))
    return str(path)


def test_an_estimate_names_its_runs_and_what_was_not_measured(tmp_path: Path, capsys: Capsys) -> None:
    study = write_peers(tmp_path, splits=[f"toybox@3-s0-0{number}" for number in range(3)])
    run_id = save(Store(tmp_path), expand(load_study(study)).specs[0], even(80, 60))
    lines = run_command(capsys, "--runs", str(tmp_path), "plan", study, "--estimate").out.splitlines()
    assert "1 CPU-hours in total, 0.833 left" in lines  # six runs of 600 s, one of which is done
    text = "measured for Chimera-Seg on 3 splits: 1 run on "
    assert any(line.startswith(text) and run_id[-16:] in line for line in lines)
    assert any(line.startswith("not measured, and in no total: MaskCLIP on 3 splits;") for line in lines)
    estimate = plan_json(capsys, tmp_path, study, "--estimate")["estimate"]
    assert estimate["not_measured"] == ["MaskCLIP on 3 splits"] and estimate["rows"][1]["hours"] is None
    assert estimate["rows"][0]["measured"]["runs"] == [run_id]


def test_titles_and_labels_are_shown_without_control_characters(tmp_path: Path, capsys: Capsys) -> None:
    path = tmp_path / "mine.yaml"
    row = f'{{method: {TINY}, label: "p\\nq\\a"}}'
    path.write_text(
        f'title: "a\\nb\\e[31m"\nsplit: toybox\nseeds: [0]\nrows: [{row}]\n'.replace(TINY, f"{ROOT / TINY}")
    )
    lines = run_command(capsys, "--runs", str(tmp_path), "plan", str(path)).out.splitlines()
    assert lines[0].startswith(r"a b\x1b[31m (toybox;") and lines[2].split()[:2] == ["p", r"q\x07"]


def test_rows_without_a_measurement_are_named_with_their_split(tmp_path: Path, capsys: Capsys) -> None:
    options = ("--split", "toybox", "--split", "toybox_tune", "--estimate")
    lines = run_command(capsys, "--runs", str(tmp_path), "plan", TINY, *options).out.splitlines()
    assert any(line.startswith("not measured, and in no total: Tiny on toybox, Tiny on toybox_tune;") for line in lines)


def test_an_estimate_for_a_gpu_needs_no_files_and_names_what_is_unknown(tmp_path: Path, capsys: Capsys) -> None:
    options = ("--split", "voc12", "--estimate", "--without-files", "--device-memory", "80GB")
    result = run_command(capsys, "--runs", str(tmp_path), "plan", "spnet", *options)
    assert result.code == 0 and not (tmp_path / "plans").exists()
    assert any(line.startswith("not measured, and in no total: SPNet;") for line in result.out.splitlines())


@pytest.mark.parametrize("options", [("--device-memory", "80GB"), ("--without-files",)])
def test_options_of_an_estimate_need_one(options: tuple[str, ...], tmp_path: Path, capsys: Capsys) -> None:
    result = run_command(capsys, "--runs", str(tmp_path), "plan", "spnet", *options)
    assert result.code != 0 and f"{options[0]} is an option of an estimate: add --estimate" in result.err


@pytest.mark.parametrize(("text", "size"), [("80GB", 80), ("80", 80), (" 24.5 gb", 24.5), ("40GiB", 40)])
def test_a_memory_is_read_in_gb(text: str, size: float) -> None:
    assert parse_memory_gb(text) == size


@pytest.mark.parametrize("text", ["", "much", "0GB", "80TB", "-3"])
def test_another_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size in GB, such as 80GB"):
        parse_memory_gb(text)


@pytest.mark.parametrize(
    ("ends", "text"),
    [((1.9e-7, 1.9e-7), "< 0.001"), ((1.9e-7, 0.5), "< 0.001 to 0.5"), ((0.0, 0.0), "0"), ((0.0123, 0.0123), "0.0123")],
)
def test_tiny_hours_are_a_bound_and_no_power_of_ten(ends: tuple[float, float], text: str) -> None:
    assert format_range(ends) == text
