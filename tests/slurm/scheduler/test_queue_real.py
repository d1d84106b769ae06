"""Queries to a real scheduler: jobs that it knows, jobs that it has forgotten, and jobs that it cannot report."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from slurm.scheduler.cluster_config import list_warnings, query_cluster_config, query_submit_limit
from slurm.scheduler.queue import QueueSnapshot, cancel_jobs, count_queued, find_jobs, query_history, query_jobs
from slurm.scheduler.states import parse_state
from slurm.testing import Cluster
from slurm.testing.cluster import processes

NAME = "cb-queue-0a1b2c3d"


@pytest.fixture(scope="module")
def since() -> float:
    """Time before the first job of this file."""
    return time.time()


def send(cluster: Cluster, line: str, *options: str) -> str:
    """Submit an array of three elements and return its ID."""
    words = ("sbatch", "--parsable", f"--job-name={NAME}", "--array=0-2", "--output=/dev/null", *options)
    return cluster.call(*words, f"--wrap={line}").strip()


def wait_for_states(cluster: Cluster, job: str, states: str) -> QueueSnapshot:
    """Wait until the three elements of a job are in these states, and return the snapshot."""
    snapshot = QueueSnapshot({}, reachable=False)

    def has_states() -> bool:
        nonlocal snapshot
        snapshot = query_jobs([job], since=time.time(), environment=cluster.environment)
        return [info.state for _, info in sorted(snapshot.jobs.items())] == states.split()

    assert processes.wait_until(has_states, timeout_s=20), snapshot
    return snapshot


def is_recorded(cluster: Cluster, job: str) -> Callable[[], bool]:
    """Return a condition that holds when accounting has the end of all three elements, a few seconds later."""
    text = ("sacct", "--allocations", "--noheader", "--parsable2", "--jobs", job, "--format=JobID,End")
    return lambda: len([line for line in cluster.call(*text).split() if "Unknown" not in line]) == 3


def test_running_and_failed_elements_are_reported(cluster: Cluster) -> None:
    job = send(cluster, "[ $SLURM_ARRAY_TASK_ID = 1 ] && exit 3; sleep 100", "--gres=gpu:1", "--mem=500")
    jobs = wait_for_states(cluster, job, "RUNNING FAILED RUNNING").jobs
    assert (jobs[job, 1].exit_code, jobs[job, 0].gpus, jobs[job, 0].mem_gb) == (3, 1, 500 / 1024)
    assert abs(time.time() - (jobs[job, 0].started or 0)) < 30


def test_waiting_elements_have_a_reason(cluster: Cluster) -> None:
    job = send(cluster, "true", "--hold")
    jobs = wait_for_states(cluster, job, "PENDING PENDING PENDING").jobs
    assert {info.reason for info in jobs.values()} == {"JobHeldUser"}
    assert count_queued(environment=cluster.environment) == 3


def test_unknown_ids_do_not_mean_that_the_controller_is_down(cluster: Cluster, since: float) -> None:
    snapshot = query_jobs(["3", ("5", 0)], since=since, environment=cluster.environment)
    assert (snapshot.jobs, snapshot.reachable, snapshot.accounting, snapshot.notes) == ({}, True, "on", ())


def test_missing_accounting_is_reported_in_one_line(plain_cluster: Cluster, since: float) -> None:
    job = send(plain_cluster, "sleep 100", "--gres=gpu:1")
    assert wait_for_states(plain_cluster, job, "RUNNING RUNNING RUNNING").jobs[job, 0].gpus == 1
    snapshot = query_jobs([job, "3"], since=since, environment=plain_cluster.environment)
    assert (len(snapshot.jobs), snapshot.reachable, snapshot.accounting, len(snapshot.notes)) == (3, True, "off", 1)


def test_single_elements_are_canceled(plain_cluster: Cluster) -> None:
    job = send(plain_cluster, "sleep 100")
    wait_for_states(plain_cluster, job, "RUNNING RUNNING RUNNING")
    assert cancel_jobs([(job, 0), (job, 2), "3"], environment=plain_cluster.environment) == ()
    wait_for_states(plain_cluster, job, "CANCELLED RUNNING CANCELLED")
    assert cancel_jobs([(job, 0)], environment=plain_cluster.environment) == ()


def test_an_element_that_is_requeued_never_looks_ended(cluster: Cluster) -> None:
    job = send(cluster, "sleep 100", "--requeue")
    wait_for_states(cluster, job, "RUNNING RUNNING RUNNING")
    cluster.call("scontrol", "requeue", f"{job}_1")
    snapshots = [query_jobs([job], since=time.time(), environment=cluster.environment) for _ in range(20)]
    assert all(parse_state(snapshot.jobs[job, 1].state).is_alive(controller_answers=True) for snapshot in snapshots)
    assert wait_for_states(cluster, job, "RUNNING PENDING RUNNING").jobs[job, 1].restarts == 1


def test_a_lost_node_ends_a_job_that_is_not_requeued(cluster: Cluster) -> None:
    job = send(cluster, "sleep 100", "--no-requeue", "--nodelist=n4")
    wait_for_states(cluster, job, "RUNNING RUNNING RUNNING")
    cluster.call("scontrol", "update", "nodename=n4", "state=down", "reason=test")
    assert wait_for_states(cluster, job, "NODE_FAIL NODE_FAIL NODE_FAIL").reachable


def test_past_jobs_are_found_by_name_and_have_a_history(cluster: Cluster, since: float) -> None:
    job = send(cluster, "exit 4")
    wait_for_states(cluster, job, "FAILED FAILED FAILED")
    assert processes.wait_until(is_recorded(cluster, job), timeout_s=20)
    past = query_history([(job, 1)], since=since, environment=cluster.environment)
    assert [(info.task, info.exit_code, info.source) for info in past.starts] == [(1, 4, "sacct")]
    assert job in {info.job for info in find_jobs(NAME, since=since, environment=cluster.environment).jobs.values()}
    assert find_jobs("cb-other-", since=since, environment=cluster.environment).jobs == {}


def test_without_its_database_the_scheduler_still_reports_running_jobs(cluster: Cluster, since: float) -> None:
    job = send(cluster, "sleep 100")
    wait_for_states(cluster, job, "RUNNING RUNNING RUNNING")
    cluster.stop_accounting()
    try:
        snapshot = query_jobs([job, "3"], since=since, environment=cluster.environment)
    finally:
        cluster.start_accounting()
    assert (len(snapshot.jobs), snapshot.reachable, snapshot.accounting) == (3, True, "unreachable")
    assert "Connection refused" in snapshot.notes[0]


def test_the_configuration_of_a_cluster_is_read(cluster: Cluster) -> None:
    config = query_cluster_config(environment=cluster.environment)
    assert (config.max_array_size, config.requeue_delay_s) == (1001, 11)
    assert (config.sends_preemption_signal, config.has_accounting) == (True, True)
    assert {partition.name for partition in config.partitions} == {"main", "low", "lowg", "lowc"}
    assert [line for line in list_warnings(config) if "lowc are canceled" in line]


def test_the_limit_of_a_user_is_read_if_it_is_enforced(cluster: Cluster) -> None:
    config = query_cluster_config(environment=cluster.environment)
    cluster.limit_jobs(10)
    try:
        limit = query_submit_limit(config, environment=cluster.environment)
    finally:
        cluster.limit_jobs(None)
    assert limit == (10 if config.enforced & {"limits", "safe", "all"} else None)


@pytest.mark.slow
def test_a_controller_that_is_down_is_reported_within_a_bounded_time(cluster: Cluster, since: float) -> None:
    job = send(cluster, "sleep 100")
    wait_for_states(cluster, job, "RUNNING RUNNING RUNNING")
    conf = cluster.paths.root / "etc" / "elsewhere.conf"  # as if its controller were gone
    text = cluster.paths.conf.read_text().replace("SlurmctldPort=", "SlurmctldPort=1 # ")
    conf.write_text(text)
    began = time.monotonic()
    snapshot = query_jobs([job], since=since, environment=cluster.environment | {"SLURM_CONF": str(conf)})
    assert (snapshot.reachable, time.monotonic() - began < 30) == (False, True)
    assert "Unable to contact slurm controller" in snapshot.notes[0]


@pytest.mark.slow
def test_memory_and_processor_time_of_a_job_are_measured(cluster: Cluster, since: float) -> None:
    hungry = (
        "srun python3 -c 'import time; x = bytearray(300_000_000); t = time.time()\nwhile time.time() < t + 12: pass'"
    )
    job = send(cluster, hungry, "--mem=500", "--cpus-per-task=2")
    wait_for_states(cluster, job, "RUNNING RUNNING RUNNING")
    assert processes.wait_until(is_recorded(cluster, job), timeout_s=60)
    starts = query_history([job], since=since, environment=cluster.environment).starts
    assert all(0.27 < (info.max_rss_gb or 0) < 0.4 for info in starts)
    assert all((info.cpu_s or 0) > 1 for info in starts)
