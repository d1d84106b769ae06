"""Tests of the test cluster: it runs jobs, fails on request and leaves no process or file behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.testing import (
    Cluster,
    ClusterError,
    ClusterLayout,
    find_missing_programs,
    find_obstacle,
    stop_abandoned_clusters,
)
from slurm.testing.cluster import config, daemons, processes, programs
from tests.slurm.conftest import PLAIN, RunWithin

SLEEP = "srun sleep 500"


@pytest.fixture
def small() -> ClusterLayout:
    """One node without accounting, which starts within a fifth of a second."""
    layout = ClusterLayout(nodes=1, accounting=False)
    if reason := find_obstacle(layout):
        pytest.skip(reason)
    return layout


@pytest.fixture
def own(small: ClusterLayout) -> Iterator[Cluster]:
    """A cluster that the test may stop."""
    cluster = Cluster(small)
    cluster.start()
    yield cluster
    cluster.stop()


def submit(cluster: Cluster, line: str, *options: str) -> str:
    """Submit a one-line job and return its id."""
    return cluster.call("sbatch", "--parsable", "--output=/dev/null", *options, f"--wrap={line}").strip()


def wait_started(cluster: Cluster, job: str, *, count: int = 1) -> list[int]:
    """Wait until a job has started `sleep` `count` times; return the processes of the job."""

    def sleeping() -> list[int]:
        return [pid for pid in cluster.find_job_processes(job) if processes.read_program_name(pid) == "sleep"]

    assert processes.wait_until(lambda: len(sleeping()) == count, timeout_s=20), cluster.call("squeue")
    return cluster.find_job_processes(job)


def is_gone(cluster: Cluster) -> bool:
    """Return whether neither files nor processes are left."""
    return not cluster.paths.root.exists() and not processes.find_by_environment(cluster.environment)


def run_python(*lines: str) -> str:
    """Run lines of Python in a process of their own and return its output."""
    code = "; ".join(["from pathlib import Path", *lines])
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def test_a_job_runs_on_the_node_it_asked_for(cluster: Cluster, tmp_path: Path) -> None:
    submit(cluster, f"echo $SLURMD_NODENAME > {tmp_path}/node", "--nodelist=n3")
    cluster.wait_idle()
    assert (tmp_path / "node").read_text() == "n3\n"


def test_accounting_knows_how_a_job_ended(cluster: Cluster) -> None:
    job = submit(cluster, "exit 3")
    question = ("sacct", "-X", "--noheader", "--parsable2", "-o", "State,ExitCode", "-j", job)
    assert processes.wait_until(lambda: cluster.call(*question) == "FAILED|3:0\n", timeout_s=20), cluster.call(
        *question
    )


def test_a_plain_cluster_has_no_accounting(plain_cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="accounting storage is disabled"):
        plain_cluster.call("sacct")


def test_gpus_are_assigned_by_index(plain_cluster: Cluster, tmp_path: Path) -> None:
    submit(plain_cluster, f"echo $CUDA_VISIBLE_DEVICES > {tmp_path}/devices", "--gpus-per-node=2")
    plain_cluster.wait_idle()
    assert (tmp_path / "devices").read_text() == "0,1\n"


def test_two_clusters_run_side_by_side(cluster: Cluster, plain_cluster: Cluster) -> None:
    job = submit(plain_cluster, "sleep 500")
    wait_started(plain_cluster, job)
    assert job in plain_cluster.call("squeue")
    assert job not in cluster.call("squeue")
    assert not cluster.find_job_processes(job)


def test_child_processes_of_a_command_find_the_cluster(plain_cluster: Cluster, run_within: RunWithin) -> None:
    code = "import subprocess; subprocess.run(['scontrol', 'show', 'node', 'n2'], check=True)"
    assert "NodeName=n2" in run_within(plain_cluster, sys.executable, "-c", code).stdout


def test_an_array_larger_than_the_layout_allows_is_refused(plain_cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="Invalid job array specification"):
        submit(plain_cluster, "true", f"--array={PLAIN.max_array_size}")


def test_more_jobs_than_the_limit_are_refused(cluster: Cluster) -> None:
    cluster.limit_jobs(3)
    try:
        with pytest.raises(ClusterError, match="AssocMaxSubmitJobLimit"):
            submit(cluster, "true", "--array=0-3")
    finally:
        cluster.limit_jobs(None)
    submit(cluster, "true", "--array=0-3")


def test_processes_of_one_task_are_distinguished_from_those_of_its_array(plain_cluster: Cluster) -> None:
    array = submit(plain_cluster, "sleep 500", "--array=0-2")
    array_pids = wait_started(plain_cluster, array, count=3)
    assert {*wait_started(plain_cluster, f"{array}_1")} < {*array_pids}


def test_killing_a_node_kills_its_processes_and_no_others(plain_cluster: Cluster) -> None:
    jobs = [submit(plain_cluster, SLEEP, f"--nodelist={node}") for node in ("n1", "n2")]
    for job in jobs:
        wait_started(plain_cluster, job, count=1)
    plain_cluster.kill_node("n2")
    assert plain_cluster.find_job_processes(jobs[0])
    assert not plain_cluster.find_job_processes(jobs[1])


def test_jobs_continue_if_only_the_daemon_of_their_node_is_killed(plain_cluster: Cluster) -> None:
    job = submit(plain_cluster, "sleep 500", "--nodelist=n2")
    before = wait_started(plain_cluster, job)
    plain_cluster.kill_slurmd("n2")
    assert plain_cluster.find_job_processes(job) == before
    plain_cluster.start_node("n2")
    assert plain_cluster.read_node_states()["n2"] == "mixed"


@pytest.mark.slow
def test_a_killed_node_goes_down_and_its_job_is_restarted(plain_cluster: Cluster) -> None:
    job = submit(plain_cluster, SLEEP, "--nodelist=n2")
    wait_started(plain_cluster, job)
    plain_cluster.kill_node("n2")
    assert processes.wait_until(lambda: plain_cluster.read_node_states()["n2"] == "down*", timeout_s=60)
    plain_cluster.start_node("n2")
    assert wait_started(plain_cluster, job)


@pytest.mark.slow
def test_a_killed_controller_still_knows_its_jobs(plain_cluster: Cluster) -> None:
    job = submit(plain_cluster, "sleep 500")
    before = wait_started(plain_cluster, job)
    state = plain_cluster.paths.root / "state" / "job_state"
    seen = time.time()
    assert processes.wait_until(lambda: state.stat().st_mtime > seen, timeout_s=20)
    plain_cluster.restart_controller(down_s=0.5)
    assert job in plain_cluster.call("squeue", "--states=running")
    assert plain_cluster.find_job_processes(job) == before


def test_accounting_records_jobs_that_ran_during_its_outage(cluster: Cluster) -> None:
    cluster.stop_accounting()
    with pytest.raises(ClusterError, match="Connection refused"):
        cluster.call("sacct")
    job = submit(cluster, "true")
    cluster.wait_idle()
    cluster.start_accounting()
    question = ("sacct", "-X", "--noheader", "-o", "State", "-j", job)
    assert processes.wait_until(lambda: "COMPLETED" in cluster.call(*question), timeout_s=30)


def test_stopping_leaves_no_process_and_no_file(own: Cluster) -> None:
    wait_started(own, submit(own, SLEEP))
    own.stop()
    assert is_gone(own)


def test_an_error_inside_the_with_block_stops_the_cluster(small: ClusterLayout) -> None:
    with pytest.raises(ZeroDivisionError), Cluster(small) as cluster:
        wait_started(cluster, submit(cluster, SLEEP))
        raise ZeroDivisionError
    assert is_gone(cluster)


def test_a_failed_start_gives_the_reason_and_leaves_nothing(
    small: ClusterLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "GRES", "Nonsense=1\n")
    cluster = Cluster(small)
    with pytest.raises(ClusterError, match="unrecognized key: Nonsense"):
        cluster.start()
    assert is_gone(cluster)


def test_a_cluster_with_a_dead_controller_can_be_stopped(own: Cluster) -> None:
    wait_started(own, submit(own, SLEEP))
    daemons.kill(own.paths, "slurmctld")
    own.stop()
    assert is_gone(own)


def test_another_process_can_stop_a_cluster(own: Cluster) -> None:
    run_python("from slurm.testing import Cluster", f"Cluster.attach(Path({str(own.paths.root)!r})).stop()")
    assert is_gone(own)


def test_a_cluster_whose_process_was_killed_is_stopped_as_abandoned(small: ClusterLayout) -> None:
    lines = (f"cluster = Cluster({small!r})", "cluster.start()", "print(cluster.paths.root)")
    left = Cluster.attach(Path(run_python("from slurm.testing import Cluster, ClusterLayout", *lines)))
    assert left.is_running
    stop_abandoned_clusters()
    assert is_gone(left)


def test_a_running_cluster_is_not_abandoned(own: Cluster) -> None:
    stop_abandoned_clusters()
    assert own.is_running


def test_logs_are_copied_to_the_requested_folder(small: ClusterLayout, tmp_path: Path) -> None:
    with Cluster(small, keep_logs=tmp_path / "logs"):
        pass
    assert {"slurmctld.log", "slurmd-n1.log", "munged.log"} <= {path.name for path in (tmp_path / "logs").iterdir()}


@pytest.mark.slow
def test_a_step_over_its_memory_limit_is_out_of_memory() -> None:
    layout = ClusterLayout(nodes=1, memory_limits=True)
    if reason := find_obstacle(layout):
        pytest.skip(reason)
    with Cluster(layout) as cluster:
        job = submit(cluster, f"srun {sys.executable} -c 'bytearray(200 * 2**20)'", "--mem=50")
        question = ("sacct", "--noheader", "-o", "State%20", "-j", f"{job}.0")
        assert processes.wait_until(lambda: "OUT_OF_MEMORY" in cluster.call(*question), timeout_s=20)


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PATH", "/nowhere")
    assert "slurmctld" in find_missing_programs()
    assert "mariadbd" not in find_missing_programs(accounting=False)
    with pytest.raises(ClusterError, match=r"lacks .*munged.* apt install"):
        Cluster().start()


def test_the_error_of_a_host_without_an_address_gives_the_fix(
    small: ClusterLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "nowhere.invalid")
    assert "add the line `127.0.0.1 nowhere.invalid`" in find_obstacle(small)


def test_an_unknown_node_is_refused_with_the_known_names(plain_cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="no node 'n9'; expected one of n1, n2"):
        plain_cluster.kill_node("n9")


def test_ports_are_consecutive_and_below_those_of_outgoing_connections() -> None:
    ports = config.find_free_ports(5)
    assert ports == [*range(ports[0], ports[0] + 5)]
    assert ports[-1] < 32768
