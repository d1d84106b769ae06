"""What a real cluster makes of the batch script."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from slurm.requests.resources import Resources
from slurm.requests.sbatch import Batch, LimitReached, SubmissionRefused, send
from slurm.testing import Cluster

# The third element asks for another start, the fourth is killed, in their first start; the second fails.
ENDS = """
import os, signal, sys, time
time.sleep(1)
first, task = "SLURM_RESTART_COUNT" not in os.environ, int(os.environ["SLURM_ARRAY_TASK_ID"])
print("first" if first else "again", sys.argv[1])
sys.stdout.flush()
if task == 3 and first:
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit([0, 3, 85 if first else 0, 0][task])
"""


def _batch(folder: Path, *, tasks: int = 1, program: str = "", **asked: Any) -> Batch:
    given = Resources.model_validate({"timeout_min": 5, "mem_gb": 0.1, "cpus_per_task": 2} | asked)
    return Batch("cb-t-0123abcd", "a comment", ("-c", program, "an argument"), tasks, folder, given)


def _queue(cluster: Cluster, job: str) -> list[str]:
    return cluster.call("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%i %T").splitlines()


def _ended(cluster: Cluster, job: str, *, timeout_s: float = 60) -> set[str]:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = {*_queue(cluster, job)}
        if all(line.endswith(("COMPLETED", "FAILED")) for line in found):
            return found
        time.sleep(0.2)
    raise TimeoutError(f"job {job} has not ended: {found}")


@pytest.mark.slow
def test_elements_that_can_go_on_start_again_and_no_others(plain_cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    job = send(_batch(folder, tasks=4, program=ENDS), plain_cluster.environment)
    assert _ended(plain_cluster, job) == {
        f"{job}_0 COMPLETED",
        f"{job}_1 FAILED",
        f"{job}_2 COMPLETED",
        f"{job}_3 COMPLETED",
    }
    logs = [(folder / f"{job}_{task}_0_log.out").read_text() for task in range(4)]
    assert [log.count("an argument") for log in logs] == [1, 1, 2, 2]
    assert [log.count("again an argument") for log in logs] == [0, 0, 1, 1]


def test_the_only_element_of_an_array_has_a_number(plain_cluster: Cluster, tmp_path: Path) -> None:
    job = send(_batch(tmp_path, program="print('here')"), plain_cluster.environment)
    assert _ended(plain_cluster, job) == {f"{job}_0 COMPLETED"}
    assert (tmp_path / f"{job}_0_0_log.out").read_text() == "here\n"


@pytest.mark.parametrize(
    ("asked", "tasks", "message"),
    [
        ({"partition": "nope"}, 1, "invalid partition specified: nope"),
        ({"mem_gb": 999}, 1, "Memory specification can not be satisfied"),
        ({"constraint": "a100"}, 1, "Invalid feature specification"),
        ({}, 99999, "MaxArraySize"),
    ],
)
def test_what_cannot_be_is_refused(
    asked: dict, tasks: int, message: str, plain_cluster: Cluster, tmp_path: Path
) -> None:
    with pytest.raises(SubmissionRefused, match=message):
        send(_batch(tmp_path, tasks=tasks, **asked), plain_cluster.environment)


def test_a_job_may_be_sent_from_within_a_job(plain_cluster: Cluster, tmp_path: Path) -> None:
    outer = {"SLURM_JOB_ID": "1", "SLURM_MEM_PER_CPU": "50", "SLURM_NTASKS": "9", "SBATCH_TIMELIMIT": "nonsense"}
    job = send(_batch(tmp_path, program="print('here')"), outer | plain_cluster.environment)
    assert _ended(plain_cluster, job) == {f"{job}_0 COMPLETED"}


def test_a_limit_of_the_queue_is_told_from_other_refusals(cluster: Cluster, tmp_path: Path) -> None:
    cluster.limit_jobs(2)
    try:
        with pytest.raises(LimitReached, match="AssocMaxSubmitJobLimit"):
            send(_batch(tmp_path, tasks=3), cluster.environment)
    finally:
        cluster.limit_jobs(None)
