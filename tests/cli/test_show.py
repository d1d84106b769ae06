"""Read-only commands: list, status, show, logs, table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from benchmark.core.run_record import Failure
from benchmark.store.staleness import digest_module
from benchmark.store.store import Store
from benchmark.utils.lock import hold_lock
from tests.cli.shell import run_command
from tests.report.world import even, save, spec_of, two_rows

FAILURE = Failure(kind="ValueError", message="the loss is nan", log_tail="line one\nline two")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the store that every command of the test uses."""
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "runs"))
    return Store(tmp_path / "runs")


def test_list_names_every_method_and_study(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "list")
    assert code == 0
    assert all(name in out for name in ("chimera_seg", "maskclip", "ablations", "toybox_tune"))


def test_list_prints_variants_quoted_for_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'chimera_seg/no SGD'" in run_command(capsys, "list").out


def test_list_as_json_contains_every_variant(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run_command(capsys, "list", "--json").out)
    variants = {method["name"]: method["variants"] for method in found["methods"]}
    assert "no SGD" in variants["chimera_seg"]


def test_a_broken_method_file_is_listed_and_the_others_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "good.py").write_text('"""Good."""\nVARIANTS = {"good": 1}\nRECIPE = 1\n')
    monkeypatch.setattr("benchmark.planning.registry.METHODS", tmp_path)
    monkeypatch.setattr("benchmark.planning.registry.list_methods", lambda: ["broken", "good"])
    out = run_command(capsys, "list").out
    assert "good: Good." in out and "broken: cannot be read: " in out


def test_status_of_an_empty_store_says_so(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(capsys, "status").out == f"no runs in {store.root}\n"


@pytest.mark.parametrize("command", ["status", "clean"])
def test_a_folder_that_is_given_and_not_there_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    code, _, err = run_command(capsys, "--runs", str(tmp_path / "rnus"), command)
    assert code == 1 and err == f"error: there is no folder {tmp_path / 'rnus'}: give another folder with --runs\n"


def test_status_shows_every_state_and_its_reason(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    save(store, spec_of(seed=0), even(80, 60))
    save(store, spec_of(seed=1), FAILURE)
    store.run(spec_of(seed=2).id).begin_attempt(spec_of(seed=2))
    store.run(spec_of(seed=2).id).write_heartbeat({"stage": "train", "done": 30, "total": 600, "losses": {"loss": 1.5}})
    broken = store.run(save(store, spec_of(seed=3), FAILURE)).path / "record.json"
    broken.write_text("{")
    code, out, _ = run_command(capsys, "status")
    assert code == 0
    assert "ValueError: the loss is nan" in out and "train 30/600" in out and "loss 1.5" in out
    assert f"broken: {broken} is broken" in out
    assert "1 done · 1 failed · 1 broken · 1 interrupted" in out


def test_status_of_failures_shows_them_alone_with_their_whole_reason(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    save(store, spec_of(seed=0), even(80, 60))
    run_id = save(store, spec_of(seed=1), FAILURE)
    store.run(run_id).write_spec(spec_of(seed=1))
    code, out, err = run_command(capsys, "status", "--failed")
    assert code == 0 and out.splitlines() == [
        f"failed  demo/paper seed 1  {run_id[-16:]}",
        "  ValueError: the loss is nan",
        f"1 done · 1 failed in {store.root}",
    ]
    assert f"logs {run_id[-16:]}" in err


def test_status_of_a_study_includes_its_missing_runs(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    plan = two_rows(store)
    store.write_plan(plan)
    store.run(plan.ids[0]).record_path.unlink()
    assert "5 done · 1 missing" in run_command(capsys, "status", "demo").out


def test_status_of_a_method_or_a_run_shows_its_runs(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = save(store, spec_of(), even(80, 60))
    save(store, spec_of(method="other"), even(80, 60))
    for name in ("demo", run_id):
        assert run_command(capsys, "status", name).out.splitlines()[-1].startswith("1 done in ")
    assert "2 done" in run_command(capsys, "status").out


def test_status_of_a_study_that_was_never_planned_says_how_to_begin(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    save(store, spec_of(), even(80, 60))
    assert run_command(capsys, "status", "ablations").err.rstrip().endswith("begin with: chimera-bench run ablations")


def test_status_says_when_a_running_run_makes_no_progress(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.run(spec_of().id)
    run.begin_attempt(spec_of())
    run.write_heartbeat({"stage": "train", "done": 30, "total": 600, "losses": {}})
    monkeypatch.setattr("benchmark.store.progress.QUIET_S", -1.0)
    with hold_lock(run.path):
        assert "no progress for" in run_command(capsys, "status").out
    assert "no progress for" not in run_command(capsys, "status").out


def test_status_changes_nothing(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    save(store, spec_of(), FAILURE)
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    run_command(capsys, "status")
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before


def test_show_prints_scores_under_every_convention(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    save(store, spec_of(), even(80, 80))
    out = run_command(capsys, "show", "demo-paper").out
    assert all(name in out for name in ("d2-main", "d2-0.6", "mmseg"))
    assert "hiou 66.67" in out  # 80 / (200 - 80)


def test_show_marks_a_stale_run(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    save(store, spec_of(), even(80, 80), code={"methods/maskclip.py": digest_module("methods/maskclip.py")})
    save(store, spec_of("no SGD"), even(80, 80), code={"methods/maskclip.py": "older"})
    assert "STALE" not in run_command(capsys, "show", "demo-paper").out
    assert "STALE" in run_command(capsys, "show", "demo-no-sgd").out


def test_show_of_a_failure_prints_the_end_of_its_log(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    save(store, spec_of(), FAILURE)
    out = run_command(capsys, "show", "demo-paper").out
    assert "failure: ValueError: the loss is nan" in out and "  | line two" in out


def test_logs_prints_the_last_lines_of_the_latest_attempt(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("old", "one\ntwo\nthree\n"):
        log = store.run(spec_of().id).next_attempt_path / "log.txt"
        store.run(spec_of().id).begin_attempt(spec_of())
        log.write_text(text)
    assert run_command(capsys, "logs", "demo-paper", "-n", "2").out == "two\nthree\n"
    assert run_command(capsys, "logs", "demo-paper", "--attempt", "1").out == "old\n"


@pytest.mark.parametrize("command", ["show", "logs", "verify"])
def test_an_unknown_run_is_one_line(store: Store, capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, err = run_command(capsys, command, "nothing")
    assert (code, out) == (1, "")
    assert err == f"error: no run 'nothing': there are no runs in {store.root}; give another folder with --runs\n"


@pytest.mark.parametrize("fmt", ["txt", "md", "csv", "json", "tex"])
def test_a_table_is_printed_in_every_format(store: Store, capsys: pytest.CaptureFixture[str], fmt: str) -> None:
    store.write_plan(two_rows(store))
    code, out, _ = run_command(capsys, "table", "demo", "--format", fmt)
    assert code == 0 and "no SGD" in out


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("table", "demos"), "did you mean 'demo'"),
        (("table", "demo", "--format", "mdd"), "did you mean 'md'"),
        (("table", "demo", "--convention", "d2-man"), "did you mean 'd2-main'"),
        (("status", "demos"), "no study, method or run 'demos'; did you mean 'demo'"),
    ],
)
def test_misspelled_names_are_answered_with_the_nearest_name(
    store: Store, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], hint: str
) -> None:
    store.write_plan(two_rows(store))
    code, _, err = run_command(capsys, *arguments)
    assert code == 1 and hint in err and err.count("\n") == 1


def test_show_prints_the_traits_that_are_known(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    out = run_command(capsys, "show", save(store, spec_of(), even(80, 60))).out
    traits = out.split("\ntraits\n")[1].split("\n\n")[0].splitlines()
    assert "  setting: inductive" in traits and "  backbone: CLIP ViT-B/16" in traits
    assert "  extra_models: none" in traits and not any(line.startswith("  background") for line in traits)


def test_show_says_which_classes_are_in_no_scored_image(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    counts, is_there = even(80, 60), np.array([1, 1, 0, 0])
    factors = dict.fromkeys(("target", "prediction", "intersection"), is_there) | {
        "confusion": np.outer(is_there, is_there)
    }
    fields: dict[str, Any] = {
        name: sparse.csr_array(getattr(counts, name).toarray() * factor) for name, factor in factors.items()
    }
    margins = {name: 0 * getattr(counts, name) for name in ("margin_intersection", "margin_prediction")}
    empty = replace(counts, **fields | margins)
    out = run_command(capsys, "show", save(store, spec_of(), empty)).out
    assert "miou_unseen n/a" in out and "nan" not in out
    assert "  U and hIoU are not defined: no unseen class occurs in the targets of the scored images (cup, fish)" in out
