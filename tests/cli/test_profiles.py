"""`profile`: written from a cluster that is imitated by programs; tests/slurm/scenarios has a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import run_command

Capsys = pytest.CaptureFixture[str]

PROGRAMS = {
    "scontrol": 'case "$*" in *config) echo ClusterName = hal;; *) echo PartitionName=gpu Default=YES State=UP;; esac',
    "sinfo": 'echo "g1|gpu*|64|512000|gpu:4|(null)"',
    "sacctmgr": 'echo "lab|lab|normal|normal"',
}


@pytest.fixture
def cluster_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of a cluster with one partition, and a folder for profiles."""
    monkeypatch.setenv("CHIMERA_BENCH_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)


@pytest.mark.usefixtures("cluster_programs")
def test_a_new_profile_is_named_like_its_cluster_and_valid_at_once(capsys: Capsys) -> None:
    result = run_command(capsys, "profile", "new")
    assert result.code == 0 and "partition: gpu" in result.out
    script = run_command(capsys, "submit", "demo", "--cluster", "hal", "--dry-run").out
    assert "#SBATCH --partition=gpu" in script and "#SBATCH --account=lab" in script
    assert "hal" in run_command(capsys, "profile", "list").out


@pytest.mark.usefixtures("cluster_programs")
def test_a_profile_is_never_overwritten(capsys: Capsys) -> None:
    Path("mine.yaml").write_text("executor: slurm\n")
    result = run_command(capsys, "profile", "new", "--out", "mine.yaml")
    assert result.code == 1 and "mine.yaml exists" in result.err
    assert Path("mine.yaml").read_text() == "executor: slurm\n"


@pytest.mark.usefixtures("cluster_programs")
def test_an_unknown_partition_is_refused_with_the_nearest(capsys: Capsys) -> None:
    result = run_command(capsys, "profile", "new", "--partition", "gpus")
    assert result.code == 1 and "did you mean 'gpu'" in result.err
    assert not Path("profiles").exists()


def test_a_machine_without_slurm_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run_command(capsys, "profile", "new", "--out", str(tmp_path / "mine.yaml"))
    assert result.code == 1 and len(result.err.splitlines()) == 1
    assert "login nodes: scontrol is not installed on this machine" in result.err


def test_a_profile_of_this_machine_is_checked_without_a_cluster(capsys: Capsys) -> None:
    assert "local is valid" in run_command(capsys, "profile", "check", "local").out
