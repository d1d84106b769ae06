"""The batch script on a real cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from slurm.requests.resources import JobResources
from slurm.requests.sbatch import ArrayRequest, send_array
from slurm.requests.sbatch_output import QueueFullError, SubmissionRefusedError
from slurm.testing import Cluster

# In its first start, the third element asks to be requeued and the fourth is killed; the second fails.
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


def _request(folder: Path, *, tasks: int = 1, program: str = "", **options: Any) -> ArrayRequest:
    resources = JobResources.model_validate({"timeout_min": 5, "mem_gb": 0.1, "cpus_per_task": 2} | options)
    return ArrayRequest("cb-t-0123abcd", "a comment", ("-c", program, "an argument"), tasks, folder, resources)


def _queue(cluster: Cluster, job: str) -> list[str]:
    return cluster.call("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%i %T").splitlines()


def _wait_until_ended(cluster: Cluster, job: str, *, timeout_s: float = 60) -> set[str]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        elements = {*_queue(cluster, job)}
        if all(line.endswith(("COMPLETED", "FAILED")) for line in elements):
            return elements
        time.sleep(0.2)
    raise TimeoutError(f"job {job} has not ended: {elements}")


@pytest.mark.slow
def test_only_resumable_elements_start_again(plain_cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    job = send_array(_request(folder, tasks=4, program=ENDS), plain_cluster.environment).job
    assert _wait_until_ended(plain_cluster, job) == {
        f"{job}_0 COMPLETED",
        f"{job}_1 FAILED",
        f"{job}_2 COMPLETED",
        f"{job}_3 COMPLETED",
    }
    logs = [(folder / f"{job}_{task}_0_log.out").read_text() for task in range(4)]
    assert [log.count("an argument") for log in logs] == [1, 1, 2, 2]
    assert [log.count("again an argument") for log in logs] == [0, 0, 1, 1]


def test_the_only_element_of_an_array_has_an_index(plain_cluster: Cluster, tmp_path: Path) -> None:
    job = send_array(_request(tmp_path, program="print('here')"), plain_cluster.environment).job
    assert _wait_until_ended(plain_cluster, job) == {f"{job}_0 COMPLETED"}
    assert (tmp_path / f"{job}_0_0_log.out").read_text() == "here\n"


@pytest.mark.parametrize(
    ("options", "tasks", "message"),
    [
        ({"partition": "nope"}, 1, "invalid partition specified: nope"),
        ({"mem_gb": 999}, 1, "Memory specification can not be satisfied"),
        ({"constraint": "a100"}, 1, "Invalid feature specification"),
        ({}, 99999, "MaxArraySize"),
    ],
)
def test_impossible_requests_are_refused(
    options: dict, tasks: int, message: str, plain_cluster: Cluster, tmp_path: Path
) -> None:
    with pytest.raises(SubmissionRefusedError, match=message):
        send_array(_request(tmp_path, tasks=tasks, **options), plain_cluster.environment)


def test_a_job_may_be_submitted_within_a_job(plain_cluster: Cluster, tmp_path: Path) -> None:
    outer = {"SLURM_JOB_ID": "1", "SLURM_MEM_PER_CPU": "50", "SLURM_NTASKS": "9", "SBATCH_TIMELIMIT": "nonsense"}
    job = send_array(_request(tmp_path, program="print('here')"), outer | plain_cluster.environment).job
    assert _wait_until_ended(plain_cluster, job) == {f"{job}_0 COMPLETED"}


def test_a_full_queue_is_distinguished_from_other_refusals(cluster: Cluster, tmp_path: Path) -> None:
    cluster.limit_jobs(2)
    try:
        with pytest.raises(QueueFullError, match="AssocMaxSubmitJobLimit"):
            send_array(_request(tmp_path, tasks=3), cluster.environment)
    finally:
        cluster.limit_jobs(None)
