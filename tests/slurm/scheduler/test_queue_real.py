"""A real scheduler, asked the way a grid asks it: what it knows, what it has forgotten, and what it cannot say."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from slurm.scheduler.cluster_config import remarks, settings, submit_limit
from slurm.scheduler.queue import Sight, cancel, find, history, look, queued
from slurm.scheduler.states import alive
from slurm.testing import Cluster
from slurm.testing.cluster import processes

NAME = "cb-queue-0a1b2c3d"


@pytest.fixture(scope="module")
def since() -> float:
    """Before any job of this file."""
    return time.time()


def send(cluster: Cluster, line: str, *options: str) -> str:
    """Send an array of three; its id."""
    words = ("sbatch", "--parsable", f"--job-name={NAME}", "--array=0-2", "--output=/dev/null", *options)
    return cluster.call(*words, f"--wrap={line}").strip()


def settled(cluster: Cluster, job: str, states: str) -> Sight:
    """What is seen once the three elements of a job are in these states."""
    sight = Sight({}, reachable=False)

    def are_there() -> bool:
        nonlocal sight
        sight = look([job], since=time.time(), environment=cluster.environment)
        return [view.state for _, view in sorted(sight.jobs.items())] == states.split()

    assert processes.until(are_there, timeout_s=20), sight
    return sight


def is_recorded(cluster: Cluster, job: str) -> Callable[[], bool]:
    """Whether the accounts know how all three elements ended, which they do a few seconds later."""
    text = ("sacct", "--allocations", "--noheader", "--parsable2", "--jobs", job, "--format=JobID,End")
    return lambda: len([line for line in cluster.call(*text).split() if "Unknown" not in line]) == 3


def test_elements_that_run_and_that_failed_are_seen(cluster: Cluster) -> None:
    job = send(cluster, "[ $SLURM_ARRAY_TASK_ID = 1 ] && exit 3; sleep 100", "--gres=gpu:1", "--mem=500")
    seen = settled(cluster, job, "RUNNING FAILED RUNNING").jobs
    assert (seen[job, 1].exit_code, seen[job, 0].gpus, seen[job, 0].mem_gb) == (3, 1, 500 / 1024)
    assert abs(time.time() - (seen[job, 0].started or 0)) < 30


def test_elements_that_wait_say_why(cluster: Cluster) -> None:
    job = send(cluster, "true", "--hold")
    seen = settled(cluster, job, "PENDING PENDING PENDING").jobs
    assert {view.reason for view in seen.values()} == {"JobHeldUser"}
    assert queued(environment=cluster.environment) == 3


def test_ids_that_nobody_knows_are_told_from_silence(cluster: Cluster, since: float) -> None:
    sight = look(["3", ("5", 0)], since=since, environment=cluster.environment)
    assert (sight.jobs, sight.reachable, sight.accounting, sight.notes) == ({}, True, "on", ())


def test_without_accounts_one_line_says_so(plain_cluster: Cluster, since: float) -> None:
    job = send(plain_cluster, "sleep 100", "--gres=gpu:1")
    assert settled(plain_cluster, job, "RUNNING RUNNING RUNNING").jobs[job, 0].gpus == 1
    sight = look([job, "3"], since=since, environment=plain_cluster.environment)
    assert (len(sight.jobs), sight.reachable, sight.accounting, len(sight.notes)) == (3, True, "off", 1)


def test_single_elements_are_cancelled(plain_cluster: Cluster) -> None:
    job = send(plain_cluster, "sleep 100")
    settled(plain_cluster, job, "RUNNING RUNNING RUNNING")
    assert cancel([(job, 0), (job, 2), "3"], environment=plain_cluster.environment) == ()
    settled(plain_cluster, job, "CANCELLED RUNNING CANCELLED")
    assert cancel([(job, 0)], environment=plain_cluster.environment) == ()


def test_an_element_that_goes_back_into_the_queue_never_looks_ended(cluster: Cluster) -> None:
    job = send(cluster, "sleep 100", "--requeue")
    settled(cluster, job, "RUNNING RUNNING RUNNING")
    cluster.call("scontrol", "requeue", f"{job}_1")
    sights = [look([job], since=time.time(), environment=cluster.environment) for _ in range(20)]
    assert all(alive(sight.jobs[job, 1].state, requeue=False) for sight in sights)
    assert settled(cluster, job, "RUNNING PENDING RUNNING").jobs[job, 1].restarts == 1


def test_a_node_that_is_lost_for_good_ends_its_job(cluster: Cluster) -> None:
    job = send(cluster, "sleep 100", "--no-requeue", "--nodelist=n4")
    settled(cluster, job, "RUNNING RUNNING RUNNING")
    cluster.call("scontrol", "update", "nodename=n4", "state=down", "reason=test")
    assert settled(cluster, job, "NODE_FAIL NODE_FAIL NODE_FAIL").reachable


def test_past_jobs_are_found_by_name_and_have_a_history(cluster: Cluster, since: float) -> None:
    job = send(cluster, "exit 4")
    settled(cluster, job, "FAILED FAILED FAILED")
    assert processes.until(is_recorded(cluster, job), timeout_s=20)
    told = history([(job, 1)], since=since, environment=cluster.environment)
    assert [(view.task, view.exit_code, view.source) for view in told.attempts] == [(1, 4, "sacct")]
    assert job in {view.job for view in find(NAME, since=since, environment=cluster.environment).jobs.values()}
    assert find("cb-other-", since=since, environment=cluster.environment).jobs == {}


def test_without_its_database_the_scheduler_still_says_what_runs(cluster: Cluster, since: float) -> None:
    job = send(cluster, "sleep 100")
    settled(cluster, job, "RUNNING RUNNING RUNNING")
    cluster.stop_accounting()
    try:
        sight = look([job, "3"], since=since, environment=cluster.environment)
    finally:
        cluster.start_accounting()
    assert (len(sight.jobs), sight.reachable, sight.accounting) == (3, True, "unreachable")
    assert "Connection refused" in sight.notes[0]


def test_the_settings_of_a_cluster_are_read(cluster: Cluster) -> None:
    said = settings(environment=cluster.environment)
    assert (said.max_array_size, said.warns, said.keeps_accounts, said.requeue_wait_s) == (1001, True, True, 11)
    assert {one.name for one in said.partitions} == {"main", "low", "lowg", "lowc"}
    assert [line for line in remarks(said) if "lowc are cancelled" in line]


def test_the_limit_of_a_user_is_read_where_it_is_enforced(cluster: Cluster) -> None:
    said = settings(environment=cluster.environment)
    cluster.limit_jobs(10)
    try:
        limit = submit_limit(said, environment=cluster.environment)
    finally:
        cluster.limit_jobs(None)
    assert limit == (10 if said.enforces & {"limits", "safe", "all"} else None)


@pytest.mark.slow
def test_a_controller_that_is_down_is_told_within_a_bounded_time(cluster: Cluster, since: float) -> None:
    job = send(cluster, "sleep 100")
    settled(cluster, job, "RUNNING RUNNING RUNNING")
    conf = cluster.place.root / "etc" / "elsewhere.conf"  # as if its controller were gone
    text = cluster.place.conf.read_text().replace("SlurmctldPort=", "SlurmctldPort=1 # ")
    conf.write_text(text)
    began = time.monotonic()
    sight = look([job], since=since, environment=cluster.environment | {"SLURM_CONF": str(conf)})
    assert (sight.reachable, time.monotonic() - began < 30) == (False, True)
    assert "Unable to contact slurm controller" in sight.notes[0]


@pytest.mark.slow
def test_memory_and_processor_time_of_a_job_are_measured(cluster: Cluster, since: float) -> None:
    hungry = (
        "srun python3 -c 'import time; x = bytearray(300_000_000); t = time.time()\nwhile time.time() < t + 12: pass'"
    )
    job = send(cluster, hungry, "--mem=500", "--cpus-per-task=2")
    settled(cluster, job, "RUNNING RUNNING RUNNING")
    assert processes.until(is_recorded(cluster, job), timeout_s=60)
    attempts = history([job], since=since, environment=cluster.environment).attempts
    assert all(0.27 < (view.max_rss_gb or 0) < 0.4 for view in attempts)
    assert all((view.cpu_s or 0) > 1 for view in attempts)
