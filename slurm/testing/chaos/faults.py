"""What happens to runs on a cluster: processes, nodes, the controller and the submitter end, jobs are taken away.

Each is done to a `Scene` and answers with what it was done to.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress

from slurm.testing.chaos.command_runner import PATIENCE_S
from slurm.testing.chaos.targets import NobodyThere, Scene
from slurm.testing.cluster import processes

LEAVING_S = 20.0
"""An element that is cancelled has left the queue after so long."""


def _cancel(scene: Scene) -> str:
    element = scene.element()
    scene.cluster.call("scancel", element.id)
    return element.id


def _requeue(scene: Scene) -> str:
    element = scene.element()
    scene.cluster.call("scontrol", "requeue", element.id)
    return element.id


def _kill_worker(scene: Scene) -> str:
    pid = scene.run_process()
    processes.kill([pid])
    return f"process {pid}"


def _kill_job(scene: Scene) -> str:
    pid = scene.job_process()
    processes.kill([pid])
    return f"process {pid}"


def _kill_server(scene: Scene) -> str:
    pid = scene.server_process()
    processes.kill([pid])
    return f"process {pid}"


def _kill_slurmd(scene: Scene) -> str:
    node = scene.busy_node()
    scene.cluster.kill_slurmd(node)
    scene.leave(node, seconds=(5, 40))  # the controller gives a node up after about 15
    return node


def _kill_node(scene: Scene) -> str:
    node = scene.busy_node()
    scene.cluster.kill_node(node)
    scene.leave(node, seconds=(5, 40))
    return node


def _set_node_down(scene: Scene) -> str:
    node = scene.busy_node()
    scene.cluster.call("scontrol", "update", f"nodename={node}", "state=down", "reason=chaos")
    return node


def _kill_controller(scene: Scene) -> str:
    """While a submit is at work."""
    down_s = scene.chance.uniform(2, 8)
    with scene.desk.begun(*scene.submitting) as submitter:
        time.sleep(scene.chance.uniform(0, 2))
        scene.cluster.restart_controller(down_s=down_s)
        code = submitter.wait(timeout=PATIENCE_S)
    return f"for {down_s:.0f} s; a submit meanwhile ended with {code}"


def _kill_submitter(scene: Scene) -> str:
    """Once its submission is laid down: before, while or after it is sent. There must be something to send."""
    with suppress(NobodyThere):
        element = _cancel(scene)
        gone = ("squeue", "--noheader", "--array", "--jobs", element.partition("_")[0], "--format=%i")
        processes.until(lambda: element not in scene.cluster.call(*gone).split(), timeout_s=LEAVING_S)
    name = scene.chance.choice(["manifest.json", "batch.sh"])
    before = _laid_down(scene, name)
    with scene.desk.begun(*scene.submitting) as submitter:
        processes.until(lambda: submitter.poll() is not None or _laid_down(scene, name) > before, timeout_s=PATIENCE_S)
        time.sleep(scene.chance.uniform(0, 0.05))
        if submitter.poll() is not None:
            raise NobodyThere("there was nothing to send")
        submitter.kill()
        submitter.wait()
    is_known = _laid_down(scene, "job.json") == _laid_down(scene, "manifest.json")
    return "its job is known" if is_known else "nobody knows whether a job was sent"


def _preempt(scene: Scene) -> str:
    element = scene.element()
    where = ("--partition=main", f"--nodelist={element.node}", "--exclusive", "--mem=100")
    scene.cluster.call("sbatch", "--job-name=preempts", *where, "--output=/dev/null", "--wrap=sleep 5")
    return f"{element.id} on {element.node}"


DISTURBANCES: dict[str, Callable[[Scene], str]] = {
    "one element cancelled": _cancel,
    "one element queued again by scontrol": _requeue,
    "process of a run killed": _kill_worker,
    "process of a job killed": _kill_job,
    "process killed that forks those of runs": _kill_server,
    "daemon of a node killed, its jobs running on": _kill_slurmd,
    "node killed": _kill_node,
    "node set down by scontrol": _set_node_down,
    "controller killed": _kill_controller,
    "submitter killed": _kill_submitter,
    "job of a higher partition sent to its node": _preempt,
}
OPENING = "submitter killed"
"""What happens first, to the first submission of all."""


def dealt(count: int, chance: random.Random) -> list[str]:
    """So many names of disturbances, none twice as long as another is missing."""
    names: list[str] = []
    while len(names) < count:
        names += chance.sample(list(DISTURBANCES), len(DISTURBANCES))
    return names[:count]


def _laid_down(scene: Scene, name: str) -> int:
    return len(list((scene.desk.store / "submissions").glob(f"*/{name}")))
