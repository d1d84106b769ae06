"""Faults that can be injected: killed processes, nodes and daemons, canceled and preempted jobs.

Each fault is a function of `ClusterTargets` that returns a description of its target and raises NoTargetError if there
is none.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress

from slurm.testing.chaos.command_runner import COMMAND_TIMEOUT_S
from slurm.testing.chaos.targets import ClusterTargets, NoTargetError
from slurm.testing.cluster import processes

CANCEL_TIMEOUT_S = 20.0
"""Seconds within which a canceled task leaves the queue."""

RESTART_DELAY_S = (5, 40)
"""Bounds of the delay before a killed node is restarted; the controller gives a node up after about 15 seconds."""


def _cancel_task(targets: ClusterTargets) -> str:
    task = targets.choose_task()
    targets.cluster.call("scancel", task.id)
    return task.id


def _requeue_task(targets: ClusterTargets) -> str:
    task = targets.choose_task()
    targets.cluster.call("scontrol", "requeue", task.id)
    return task.id


def _kill_run_process(targets: ClusterTargets) -> str:
    return _kill(targets.choose_run_process())


def _kill_job_process(targets: ClusterTargets) -> str:
    return _kill(targets.choose_job_process())


def _kill_fork_server(targets: ClusterTargets) -> str:
    return _kill(targets.choose_fork_server())


def _kill_slurmd(targets: ClusterTargets) -> str:
    node = targets.choose_busy_node()
    targets.cluster.kill_slurmd(node)
    targets.schedule_restart(node, after_s=RESTART_DELAY_S)
    return node


def _kill_node(targets: ClusterTargets) -> str:
    node = targets.choose_busy_node()
    targets.cluster.kill_node(node)
    targets.schedule_restart(node, after_s=RESTART_DELAY_S)
    return node


def _set_node_down(targets: ClusterTargets) -> str:
    node = targets.choose_busy_node()
    targets.cluster.call("scontrol", "update", f"nodename={node}", "state=down", "reason=chaos")
    return node


def _kill_controller(targets: ClusterTargets) -> str:
    """Kill the controller while a submit command runs."""
    down_s = targets.rng.uniform(2, 8)
    with targets.runner.start(*targets.submit_command) as submitter:
        time.sleep(targets.rng.uniform(0, 2))
        targets.cluster.restart_controller(down_s=down_s)
        exit_code = submitter.wait(timeout=COMMAND_TIMEOUT_S)
    return f"for {down_s:.0f} s; a concurrent submit exited with {exit_code}"


def _kill_submitter(targets: ClusterTargets) -> str:
    """Kill a submit command after it has written its submission: before, while or after the job is sent.

    A running task is canceled first, so that there is something to submit.
    """
    with suppress(NoTargetError):
        task = _cancel_task(targets)
        queue = ("squeue", "--noheader", "--array", "--jobs", task.partition("_")[0], "--format=%i")
        processes.wait_until(lambda: task not in targets.cluster.call(*queue).split(), timeout_s=CANCEL_TIMEOUT_S)
    name = targets.rng.choice(["manifest.json", "batch.sh"])
    before = _count_files(targets, name)
    with targets.runner.start(*targets.submit_command) as submitter:
        processes.wait_until(
            lambda: submitter.poll() is not None or _count_files(targets, name) > before, timeout_s=COMMAND_TIMEOUT_S
        )
        time.sleep(targets.rng.uniform(0, 0.05))
        if submitter.poll() is not None:
            raise NoTargetError("there was nothing to submit")
        submitter.kill()
        submitter.wait()
    has_job_ids = _count_files(targets, "job.json") == _count_files(targets, "manifest.json")
    return "its job id is recorded" if has_job_ids else "whether a job was sent is not recorded"


def _preempt(targets: ClusterTargets) -> str:
    task = targets.choose_task()
    options = ("--partition=main", f"--nodelist={task.node}", "--exclusive", "--mem=100")
    targets.cluster.call("sbatch", "--job-name=preempts", *options, "--output=/dev/null", "--wrap=sleep 5")
    return f"{task.id} on {task.node}"


FAULTS: dict[str, Callable[[ClusterTargets], str]] = {
    "task canceled": _cancel_task,
    "task requeued by scontrol": _requeue_task,
    "process of a run killed": _kill_run_process,
    "process of a job killed": _kill_job_process,
    "fork server of a job killed": _kill_fork_server,
    "daemon of a node killed while its jobs continue": _kill_slurmd,
    "node killed": _kill_node,
    "node set down by scontrol": _set_node_down,
    "controller killed": _kill_controller,
    "submitter killed": _kill_submitter,
    "task preempted by a job of a higher partition": _preempt,
}
"""Faults by name."""

FIRST_FAULT = "submitter killed"
"""Fault that hits the very first submission."""


def draw_faults(count: int, rng: random.Random) -> list[str]:
    """Draw names of faults in rounds; every round has each fault once in random order.

    Args:
        count: Number of names to return.
        rng: Random generator that decides the order.
    """
    names: list[str] = []
    while len(names) < count:
        names += rng.sample(list(FAULTS), len(FAULTS))
    return names[:count]


def _kill(pid: int) -> str:
    processes.kill([pid])
    return f"process {pid}"


def _count_files(targets: ClusterTargets, name: str) -> int:
    """Return the number of submissions that have a file of this name."""
    return len(list((targets.runner.store / "submissions").glob(f"*/{name}")))
