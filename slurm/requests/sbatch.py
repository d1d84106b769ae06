"""Batch script of a job array, and its submission. submitit writes the options; nothing is pickled."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.utils.atomic_files import write_text
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.paths import ROOT
from slurm.requests.resources import JobResources

if TYPE_CHECKING:
    from submitit import SlurmExecutor

SBATCH_TIMEOUT_S = 150.0
"""Longest time sbatch may take; sbatch itself retries for two minutes if the queue is full."""

# A job that was killed (137) is requeued too, and so is one that got its warning (140) or SIGTERM (143) before it had
# installed its signal handlers. The element is named by array and index, because the last element's own job ID is that
# of the array and would requeue the whole array. `scancel` ends this shell as well, so nothing below runs after it.
_REQUEUE = (
    'case "$code" in',
    f"  {int(ExitCode.REQUEUE)} | 137 | 140 | 143)",
    "    for pause in 5 30 60; do",
    '      scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" && break',
    '      sleep "$pause"',
    "    done ;;",
    "esac",
)

_NOT_SUBMITIT = {
    "checkpoint_every",
    "container",
    "max_attempts_without_progress",
    "measures_cost",
    "python",
    "requeue",
    "runs_per_job",
    "side_by_side",
    "threads",
    "workers",
}
_DESTINATION = ("account", "clusters", "constraint", "partition", "qos", "reservation", "wckey")
_JOB_PREFIXES = ("PMI", "SLURM_", "SRUN_")
_CLUSTER_VARIABLES = {"SLURM_CLUSTERS", "SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_UMASK"}

_QUEUE_FULL = r"SubmitJob|submission failed: Resource temporarily unavailable"
_CONNECTION_LOST = (
    r"socket timed out|zero bytes|(send|receive|shutdown) failure|connection reset|broken pipe|unexpected message"
    r"|protocol authentication error"
)
_ADVICE = {
    "auth_g_create": "munge does not work on this machine",
    "connect failure": "the controller does not answer (scontrol ping): try again later",
    "configuration (file|source)": "this machine is not configured for a SLURM cluster: submit from a login node",
    "policy": "account or qos do not allow that much (sacctmgr show qos)",
    "invalid account": "account and partition must be among yours (sacctmgr show associations user=$USER)",
    "partition": "partition must be one that is up (sinfo -s)",
    "qos spec": "qos must be one of the cluster's (sacctmgr show qos)",
    "array spec": "the array is larger than MaxArraySize (scontrol show config)",
    "time limit": "timeout_min must be within the partition's limit (sinfo -s)",
    "memory|configuration|feature|gres|processors|node": (
        "no node fits: compare mem_gb, gpus_per_node, gres, cpus_per_task, nodes and constraint with "
        "sinfo -o '%P %D %c %m %G %f'"
    ),
}


@dataclass(frozen=True)
class ArrayRequest:
    """A job array to hand to sbatch.

    Attributes:
        name: Name of the job.
        comment: Comment of the job.
        command: Words after the interpreter, such as ("-m", "slurm.job", "manifest.json").
        tasks: Number of elements; each reads its index from SLURM_ARRAY_TASK_ID.
        folder: Folder of the script and of the jobs' output; the nodes must see it under the same path.
        resources: Resources of each element.
    """

    name: str
    comment: str
    command: tuple[str, ...]
    tasks: int
    folder: Path
    resources: JobResources


class SubmissionRefusedError(ValueError):
    """Nothing was queued; the message contains SLURM's reason and advice."""


class QueueFullError(SubmissionRefusedError):
    """Nothing was queued, because this user has as many jobs in the queue as the limit allows."""


class SubmissionUncertainError(RuntimeError):
    """It is not known whether the job was queued; a job of its name in the queue shows that it was."""


def render_script(request: ArrayRequest) -> str:
    """Return the batch script; SLURM need not be installed.

    Raises:
        ValueError: SLURM would misread the name of the folder.
    """
    if re.search(r"[%'\\]", str(request.folder)):
        raise ValueError(f"SLURM cannot write into {request.folder}: use a path without %, quotes and backslashes")
    executor = _make_executor(request.folder)
    executor.update_parameters(**executor._convert_parameters(_make_parameters(request)))
    executor.parameters["map_count"] = request.tasks  # an array even for one element: job IDs always name the element
    return executor._make_submission_file_text(_make_command(request), uid="") + "\n"


def send_array(request: ArrayRequest, environment: Mapping[str, str] | None = None) -> str:
    """Write the script to batch.sh, hand it to sbatch once, and return the ID of the array.

    Args:
        request: Array to submit.
        environment: Variables in addition to those of this process.

    Raises:
        SubmissionRefusedError: Nothing was queued.
        QueueFullError: Nothing was queued, because the queue is full.
        SubmissionUncertainError: The array may have been queued.
    """
    from submitit.core.utils import FailedSubmissionError

    text, path = render_script(request), request.folder / "batch.sh"
    write_text(path, text)
    executor = _make_executor(request.folder)
    variables = _select_variables(text, os.environ | dict(environment or {}))
    output = _run_sbatch(executor._make_submission_command(path), variables, name=request.name)
    try:
        return executor._get_job_id_from_submission_command(output)
    except FailedSubmissionError as error:
        message = f"sbatch accepted {request.name} but printed no job ID: {' '.join(output.split())!r}"
        raise SubmissionUncertainError(message) from error


def _make_executor(folder: Path) -> SlurmExecutor:
    from submitit import SlurmExecutor

    class OfflineExecutor(SlurmExecutor):
        """Executor of submitit that also works on machines without srun."""

        @classmethod
        def affinity(cls) -> int:
            return 1

    return OfflineExecutor(folder)


def _make_parameters(request: ArrayRequest) -> dict[str, Any]:
    """Return the options under submitit's names; None leaves an option out."""
    resources = request.resources
    parameters = resources.model_dump(exclude=_NOT_SUBMITIT)
    if resources.mem_gb is None:
        del parameters["mem_gb"]
    requeue = "requeue" if resources.requeue else "no-requeue"
    return parameters | {
        "name": request.name,
        "comment": request.comment,
        "wckey": None,  # submitit's own is unknown to a cluster that checks them
        "gpus_per_node": resources.gpus_per_node or None,
        "exclusive": resources.exclusive or None,
        "stderr_to_stdout": True,
        "setup": [*resources.setup, *_export_search_path(), "code=0"],
        "srun_args": _make_srun_arguments(resources),
        "teardown": [*(_REQUEUE if resources.requeue else ()), 'exit "$code"'],
        "additional_parameters": {requeue: True} | resources.additional_parameters,
    }


def _export_search_path() -> list[str]:
    """Return a line that lets the nodes find this package even if it is not installed; none if it is."""
    if ROOT.name in ("site-packages", "dist-packages"):
        return []
    return [f'export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}"{shlex.quote(str(ROOT))}']


def _make_srun_arguments(resources: JobResources) -> list[str]:
    """Return options that srun does not inherit from sbatch (since 22.05), and one that ends all tasks if one fails."""
    end_together = ["--kill-on-bad-exit=1"] if resources.tasks > 1 else []
    return [f"--cpus-per-task={resources.cpus_per_task}", *end_together, *resources.srun_args]


def _make_command(request: ArrayRequest) -> str:
    """Return the command for srun; its exit code is kept even if a line of `setup` lets errors end the script."""
    resources = request.resources
    interpreter = resources.python or shlex.quote(sys.executable)
    words = [resources.container or "", interpreter, "-u", *map(shlex.quote, request.command)]
    return " ".join(word for word in words if word) + " || code=$?"


def _select_variables(text: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of sbatch, which becomes that of the job.

    SBATCH_ variables would override the script: only those are kept that select a destination which the script leaves
    open. If this process is part of a job, the variables of that job (memory, tasks, number of starts, array element)
    would override or be mistaken for those of the new job: only those are kept that identify the cluster.
    """
    dropped = {name for name in environment if name.startswith("SBATCH_") and not _is_destination(name, text)}
    if "SLURM_JOB_ID" in environment:
        dropped |= {name for name in environment if name.startswith(_JOB_PREFIXES)} - _CLUSTER_VARIABLES
    return {name: value for name, value in environment.items() if name not in dropped}


def _is_destination(name: str, text: str) -> bool:
    """Return whether an SBATCH_ variable selects a destination that the script leaves open."""
    option = name.removeprefix("SBATCH_").lower()
    return option in _DESTINATION and f"#SBATCH --{option}=" not in text


def _run_sbatch(command: Sequence[str], variables: Mapping[str, str], *, name: str) -> str:
    """Run sbatch and return what it printed."""
    try:
        done = subprocess.run(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SBATCH_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        message = f"sbatch did not answer within {SBATCH_TIMEOUT_S:.0f} s while submitting {name}"
        raise SubmissionUncertainError(message) from error
    except OSError as error:
        advice = "submit from a login node of the cluster, or use a profile with executor: local"
        raise SubmissionRefusedError(f"sbatch cannot be run here ({error.strerror}): {advice}") from error
    if done.returncode == 0:
        return done.stdout
    raise _explain_refusal(done.stderr, name=name, code=done.returncode)


def _explain_refusal(stderr: str, *, name: str, code: int) -> SubmissionRefusedError | SubmissionUncertainError:
    """Return the error for sbatch's message; if the connection broke, the controller may have accepted the job."""
    bare = re.sub(r"^sbatch: (error: |fatal: )?(Batch job submission failed: )?", "", stderr, flags=re.MULTILINE)
    reason = ", ".join(dict.fromkeys(line.strip() for line in bare.splitlines() if line.strip())) or f"exit code {code}"
    if code < 0 or (re.search(_CONNECTION_LOST, stderr, re.IGNORECASE) and "auth_g_create" not in stderr):
        message = f"sbatch lost its connection to the controller while submitting {name}: {reason}"
        return SubmissionUncertainError(message)
    if re.search(_QUEUE_FULL, stderr):
        return QueueFullError(f"the queue has no room for {name}: {reason}; submit the rest when jobs have ended")
    advice = next((advice for pattern, advice in _ADVICE.items() if re.search(pattern, stderr, re.IGNORECASE)), "")
    return SubmissionRefusedError(f"sbatch refused {name}: {reason}" + (f"; {advice}" if advice else ""))
