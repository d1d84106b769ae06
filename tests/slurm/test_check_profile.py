"""The cluster's answer to a job that is not submitted."""

from __future__ import annotations

import pytest

from slurm import check_profile as module
from slurm.check_profile import check_profile
from slurm.requests.profile import SlurmProfile, load_profile
from slurm.scheduler.slurm_command import SlurmOutput


@pytest.mark.parametrize(
    ("stderr", "answer"),
    [
        ("Welcome to the cluster\nsbatch: Job 7 to start on n1\n", "Job 7 to start on n1"),
        ("Welcome\nsbatch: error: invalid partition\n", "invalid partition"),
        ("env: sbatch: not found\n", "env: sbatch: not found"),
    ],
)
def test_what_others_print_is_no_answer_of_slurm(stderr: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_slurm", lambda *_words: SlurmOutput(ok=True, stderr=stderr))
    profile = load_profile("gpu_partition")
    assert isinstance(profile, SlurmProfile)
    assert check_profile(profile) == (True, answer)
