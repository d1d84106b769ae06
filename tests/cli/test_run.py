"""Commands that start runs: names, overrides, skipped runs, exit codes. The pool of processes is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.grid import count_runs
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.core.study import load_study
from benchmark.execution.local_pool import RunOutcome
from benchmark.execution.trackers.tracker import KINDS, TrackerKind
from benchmark.execution.worker_process import WorkerResources
from benchmark.store.store import Store
from slurm.requests.manifest import collect_variables
from tests.cli.shell import TINY, run_command
from tests.cli.stand_in_pool import replace_pool
from tests.report.world import even


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the store that every command of the test uses."""
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "runs"))
    return Store(tmp_path / "runs")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """Return the specs that the pool was called with; see `replace_pool`."""
    return replace_pool(monkeypatch, result=even(80, 60))


def test_a_finished_run_is_skipped(store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(capsys, "run", TINY, "--set", "scale=0.5").code == 0
    code, out, err = run_command(capsys, "run", TINY, "--set", "scale=0.5")
    assert (code, len(started)) == (0, 1)
    assert "1 done already, skipped" in err and "hIoU" in out
    assert started[0].config["scale"] == 0.5


@pytest.mark.parametrize("command", [("run",), ("submit", "--cluster", "local")])
@pytest.mark.parametrize("option", [(), ("--no-cost",)])
def test_cost_measuring_can_be_switched_off(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    option: tuple[str, ...],
) -> None:
    given: list[bool] = []

    def run_all(*_: Any, resources: WorkerResources, **__: Any) -> dict[str, RunOutcome]:
        given.append(resources.measures_cost)
        return {}

    monkeypatch.setattr("benchmark.execution.local_pool.run_all", run_all)
    run_command(capsys, *command, TINY, *option)
    assert given == [not option]


def test_several_seeds_are_several_runs(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(capsys, "run", f"{TINY}/no scale", "--seed", "1", "--seed", "2", "--max-images", "3")
    assert [(spec.seed, spec.variant, spec.max_images) for spec in started] == [(1, "no scale", 3), (2, "no scale", 3)]


def test_a_failed_run_gives_exit_code_3_until_it_is_retried(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(capsys, "run", TINY, "--seed", "9").code == 3
    code, _, err = run_command(capsys, "run", TINY, "--seed", "9")
    assert (code, len(started)) == (3, 1)
    assert "1 failed before, skipped; use --retry-failed to rerun" in err
    run_command(capsys, "run", TINY, "--seed", "9", "--retry-failed")
    assert len(started) == 2


def test_a_broken_record_is_called_broken(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(capsys, "run", TINY)
    store.run(started[0].id).record_path.write_text("{")
    code, _, err = run_command(capsys, "run", TINY)
    assert (code, len(started)) == (3, 1)
    assert "1 with broken files, skipped" in err and "failed before" not in err


def test_an_interrupt_gives_exit_code_130_and_says_how_to_resume(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run_command(capsys, "run", TINY, "--seed", "13")
    assert code == 130
    assert "interrupted: 1 missing" in err and "run the same command again to resume" in err


def test_runs_at_their_time_limit_give_exit_code_130_and_say_how_to_go_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits: list[float] = []

    def run_all(specs: Sequence[RunSpec], *, resources: WorkerResources, **_: Any) -> dict[str, RunOutcome]:
        limits.append(resources.time_limit_s)
        return {spec.id: RunOutcome(RunState.INTERRUPTED, "reached its time limit") for spec in specs}

    monkeypatch.setattr("benchmark.execution.local_pool.run_all", run_all)
    code, _, err = run_command(capsys, "run", TINY, "--time-limit", "1h30min")
    assert (code, limits) == (130, [5400])
    assert "1 run interrupted: run the same command again to resume; a time limit starts again" in err


def test_a_dry_run_starts_and_writes_nothing(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run_command(capsys, "run", "ablations", "--dry-run")
    assert (code, started) == (0, [])
    study = load_study("ablations")
    assert f"{count_runs(study)} missing" in out
    assert f"Chimera-Seg on {study.list_splits()[-1]} seed 0  " in out
    assert not store.root.exists()


@pytest.mark.parametrize(("seed", "only", "plan"), [("1", 0, "peers"), ("7", 7, "peers+seeds=7")])
def test_seeds_outside_a_study_get_a_plan_of_their_own(
    store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str], seed: str, only: int, plan: str
) -> None:
    assert run_command(capsys, "run", "peers", "--seed", seed).code == 0
    study = load_study("peers")
    methods = [row.method.partition("/")[0] for row in study.rows]
    deterministic = {"maskclip", "naclip", "clip_es"}  # the one run of the plan stands for all seeds
    assert [(spec.split, spec.method, spec.seed) for spec in started] == [
        (split, method, only if method in deterministic else int(seed))
        for split in study.list_splits()
        for method in methods
    ]
    assert store.list_plans() == [plan]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("run", "chimera_sge"), "did you mean 'chimera_seg'"),
        (("run", "ablation"), "did you mean 'ablations'"),
        (("run", "chimera_seg/no SDG"), "did you mean 'no SGD'"),
        (("run", TINY, "--set", "scal=1"), "did you mean 'scale'"),
        (("run", TINY, "--set", "scale=wide"), "scale='wide'"),
        (("run", TINY, "--set", "budget.iteration=1"), "did you mean 'budget.iterations'"),
        (("run", TINY, "--split", "toybx"), "did you mean 'toybox'"),
        (("run", TINY, "--engine", "fabrik"), "did you mean 'fabric'"),
        (("run", "tests/cli/tiny.py"), "did you mean 'tests/cli/tiny_method.py'"),
        (("run", "nowhere.yaml"), "no study file 'nowhere.yaml'"),
        (("plan", "hed_depth"), "did you mean 'head_depth'"),
        (("data", "make", "toybx", "--out", "x"), "did you mean 'toybox'"),
    ],
)
def test_misspelled_names_and_bad_values_are_one_line_and_exit_code_1(
    store: Store, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], hint: str
) -> None:
    code, out, err = run_command(capsys, *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: ") and hint in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("rnu",),
        ("run",),
        ("run", TINY, "--sed", "1"),
        ("run", TINY, "--set", "scale"),
        ("run", TINY, "--track", "tensorbord"),
        ("run", TINY, "--time-limit", "2"),
        ("status", "a", "b"),
    ],
)
def test_wrong_usage_gives_exit_code_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, _, err = run_command(capsys, *arguments)
    assert code == 2 and "Usage: chimera-bench" in err


def test_a_name_of_both_a_method_and_a_study_is_refused(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.planning.requested_study.list_methods", lambda: ["demo"])
    code, _, err = run_command(capsys, "run", "demo")
    assert code == 1 and "both a method and a study" in err


def test_plan_shows_the_state_of_every_run(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "plan", "ablations")
    assert code == 0 and f"{count_runs(load_study('ablations'))} missing" in out and "no CSH" in out
    assert store.list_plans() == ["ablations"]


def test_a_plan_of_many_seeds_shows_one_summary_per_row(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(f"title: Many\nsplit: toybox\nrows: [{Path(TINY).absolute()}]\nseeds: {list(range(30))}\n")
    code, out, _ = run_command(capsys, "plan", str(path))
    assert code == 0 and out.splitlines()[1:3] == ["row   30 seeds", "Tiny  30 missing"]


def test_trackers_reach_workers_and_jobs_through_the_environment(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_TRACK", "")
    monkeypatch.setitem(KINDS, "wandb", TrackerKind("x:y", "no_such_package", "wandb"))
    code, _, err = run_command(capsys, "run", TINY, "--track", "mlflow,wandb", "--dry-run")
    assert code == 0 and "tracker wandb is not installed, runs go on without it" in err
    assert collect_variables()["CHIMERA_BENCH_TRACK"] == "mlflow,wandb"


@pytest.mark.parametrize("command", [("run", TINY, "--retry-failed"), ("retry", "tiny_method")])
def test_a_result_that_cannot_be_read_is_never_run_again(
    command: Sequence[str], store: Store, started: list[RunSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(capsys, "run", TINY)
    record = store.run(started[0].id).record_path
    record.unlink()
    record.mkdir()  # cannot be opened as a file, not even by the superuser
    code, _, err = run_command(capsys, *command)
    assert code != 0 and len(started) == 1
    assert f"skipped: {record} cannot be read" in err
