"""`submit`, `retry`, `cancel`, `collect` without a cluster; tests/slurm/scenarios uses one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.store.store import Store
from slurm.requests.manifest import Manifest, mark_sent, write_manifest
from tests.cli.shell import TINY, run_command
from tests.report.world import even, plan_of, save, spec_of

Capsys = pytest.CaptureFixture[str]

PROFILE = "executor: slurm\npartition: gpu\nmem_gb: 2\nsetup: [module load cuda]\n"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the store that every command of the test uses, and hide SLURM."""
    monkeypatch.setenv("CHIMERA_BENCH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PATH", str(tmp_path / "no programs"))
    return Store(tmp_path / "runs")


@pytest.fixture
def profile(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(PROFILE)
    return str(path)


def test_a_dry_run_prints_the_script_and_writes_nothing(store: Store, profile: str, capsys: Capsys) -> None:
    result = run_command(capsys, "submit", TINY, "--seed", "0", "--seed", "1", "--cluster", profile, "--dry-run")
    assert result.code == 0 and "# 2 runs in an array of 2" in result.out
    assert "#SBATCH --partition=gpu" in result.out and "module load cuda" in result.out
    assert not store.root.exists()


def test_submit_without_slurm_is_one_line(store: Store, profile: str, capsys: Capsys) -> None:
    result = run_command(capsys, "submit", TINY, "--cluster", profile)
    assert result.code == 1 and result.err.startswith("error: ") and result.err.count("\n") == 1
    assert "unexpected" not in result.err
    assert not list(store.root.glob("submissions/*/manifest.json"))


def test_an_unknown_profile_is_answered_with_the_nearest_name(capsys: Capsys) -> None:
    result = run_command(capsys, "submit", TINY, "--cluster", "slrum")
    assert result.code == 1 and "did you mean 'slurm'" in result.err


@pytest.mark.parametrize(
    ("line", "expected"),
    [("partitoin: gpu", "did you mean 'partition'"), ("timeout_min: 10:30", "whole minutes"), ("mem_gb: -1", "mem_gb")],
)
def test_a_mistake_in_a_profile_is_one_line(tmp_path: Path, line: str, expected: str, capsys: Capsys) -> None:
    (tmp_path / "bad.yaml").write_text(f"executor: slurm\n{line}\n")
    result = run_command(capsys, "submit", TINY, "--cluster", str(tmp_path / "bad.yaml"))
    assert (
        result.code == 1 and expected in result.err and "unexpected" not in result.err and result.err.count("\n") == 1
    )


def test_the_debug_executor_runs_in_this_process(store: Store, capsys: Capsys) -> None:
    tiny = ("--set", "budget.iterations=1", "--max-images", "1")
    assert run_command(capsys, "submit", TINY, "--cluster", "debug", *tiny).out.startswith("done ")
    result = run_command(capsys, "submit", TINY, "--cluster", "debug", "--set", "end=raise", *tiny)
    assert result.code == 3 and result.out.startswith("failed ")


def test_retry_starts_nothing_if_no_run_has_failed(store: Store, capsys: Capsys) -> None:
    run_id = save(store, spec_of(), even(80, 60))
    assert run_command(capsys, "retry", run_id, "--cluster", "local").out == "no failed runs\n"


def test_retry_of_a_study_uses_the_settings_of_the_profile_for_that_study(
    store: Store, tmp_path: Path, capsys: Capsys
) -> None:
    (tmp_path / "mine.yaml").write_text(f"{PROFILE}studies: {{grid: {{timeout_min: 77}}}}\n")
    store.run(spec_of().id).begin_attempt(spec_of())
    save(store, spec_of(), Failure(kind="ValueError", message="no"))
    store.write_plan(plan_of({"paper": {0: spec_of().id}}).model_copy(update={"study": "grid"}))
    arguments = ("--cluster", str(tmp_path / "mine.yaml"), "--dry-run")
    assert "#SBATCH --time=77" in run_command(capsys, "retry", "grid", *arguments).out
    assert "#SBATCH --time" not in run_command(capsys, "retry", spec_of().id, *arguments).out


def test_a_run_that_shares_its_job_is_not_canceled_alone(store: Store, capsys: Capsys) -> None:
    ids = [spec_of(seed=seed).id for seed in range(2)]
    for seed in range(2):
        store.run(spec_of(seed=seed).id).write_spec(spec_of(seed=seed))
    fields = {"id": "1-s-0123abcd", "study": "s", "profile": "p", "created": 0, "store": str(store.root)}
    numbers = {"max_attempts_without_progress": 3, "concurrent_runs": 2, "threads": 1, "workers": 0, "grace_s": 5}
    mark_sent(write_manifest(store, Manifest.model_validate(fields | numbers | {"tasks": [ids]})).parent, "7")
    result = run_command(capsys, "cancel", ids[0])
    assert result.code == 1 and "shares its job with" in result.err
    assert run_command(capsys, "cancel", *ids, "--dry-run").out == "7_0: not shown by SLURM\n"


def test_collect_accounts_for_every_run_and_reports_failures(store: Store, capsys: Capsys) -> None:
    specs = [spec_of(seed=seed) for seed in range(3)]
    store.write_plan(plan_of({"paper": {spec.seed: spec.id for spec in specs}}))
    save(store, specs[0], even(80, 60))
    store.run(specs[1].id).begin_attempt(specs[1])
    save(store, specs[1], Failure(kind="OUT_OF_MEMORY", message="no"))
    result = run_command(capsys, "collect", "demo")
    assert result.code == 3 and result.out.startswith("1 done · 1 failed · 1 missing")


@pytest.mark.parametrize("name", ["a\\b", "a\nb", "100%job"])
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_store_that_slurm_cannot_write_into_is_refused_before_anything_is_written(
    name: str, dry_run: bool, tmp_path: Path, capsys: Capsys
) -> None:
    (tmp_path / "mine.yaml").write_text(PROFILE)
    options = ["--dry-run"] if dry_run else []
    runs, profile = str(tmp_path / name), str(tmp_path / "mine.yaml")
    result = run_command(capsys, "--runs", runs, "submit", "demo", "--cluster", profile, *options)
    assert result.code == 1 and "SLURM cannot write into" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
