"""Number of processes that were killed because memory ran out."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.execution.oom import count_oom_kills

V2 = ("0::/job_7\n", "job_7/memory.events", "low 0\noom 3\noom_kill 2\n")
V1 = ("3:cpu:/\n2:memory:/slurm/job_7\n0::/\n", "memory/slurm/job_7/memory.oom_control", "under_oom 0\noom_kill 2\n")


@pytest.mark.parametrize(("groups", "file", "text"), [V2, V1])
def test_kills_are_read_from_both_versions_of_control_groups(tmp_path: Path, groups: str, file: str, text: str) -> None:
    (tmp_path / "cgroup").write_text(groups)
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    assert count_oom_kills(tmp_path / "cgroup", tmp_path) == 2


def test_without_a_counter_the_number_is_unknown(tmp_path: Path) -> None:
    assert count_oom_kills(tmp_path / "none", tmp_path) is None
    (tmp_path / "cgroup").write_text("0::/job\n")
    assert count_oom_kills(tmp_path / "cgroup", tmp_path) is None
