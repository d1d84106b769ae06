"""What sbatch prints: the number and the cluster of an array, or why there is none. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARSABLE = re.compile(r"(\d+)(?:;([\w.-]+))?")
_SENTENCE = re.compile(r"Submitted batch job (\d+)(?: on cluster ([\w.-]+))?")

_QUEUE_FULL = r"SubmitJob|submission failed: Resource temporarily unavailable"
_CONTROLLER_BUSY = r"unable to contact slurm controller \(connect failure\)|resource temporarily unavailable"
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
class QueuedArray:
    """A job array that SLURM has queued.

    Attributes:
        job: ID of the array.
        cluster: Name of its cluster; empty for the default cluster of the machine that submitted it.
    """

    job: str
    cluster: str = ""


class SubmissionRefusedError(ValueError):
    """Nothing was queued; the message contains SLURM's reason and advice."""


class QueueFullError(SubmissionRefusedError):
    """Nothing was queued, because this user has as many jobs in the queue as the limit allows."""


class ControllerBusyError(SubmissionRefusedError):
    """Nothing was queued, because the controller is busy or restarts."""


class SubmissionUncertainError(RuntimeError):
    """It is not known whether the job was queued; a job of its name in the queue shows that it was."""


def parse_sbatch(output: str) -> QueuedArray | None:
    """Return the array in the output of `sbatch --parsable`, which sites and their wrappers surround with other lines.

    Args:
        output: Lines of which one is the number, or number;cluster, or the sentence that sbatch prints otherwise.

    Returns:
        The array; None if no line, or lines with different numbers, could be meant.
    """
    lines = [line.strip() for line in output.splitlines()]
    for pattern in (_SENTENCE, _PARSABLE):
        arrays = {QueuedArray(match[1], match[2] or "") for line in lines if (match := pattern.fullmatch(line))}
        if arrays:
            return arrays.pop() if len(arrays) == 1 else None
    return None


def explain_refusal(stderr: str, *, name: str, code: int) -> SubmissionRefusedError | SubmissionUncertainError:
    """Return the error for sbatch's message; if the connection broke, the controller may have accepted the job.

    Args:
        stderr: Error messages of sbatch.
        name: Name of the job.
        code: Exit code of sbatch; negative for a signal.
    """
    bare = re.sub(r"^sbatch: (error: |fatal: )?(Batch job submission failed: )?", "", stderr, flags=re.MULTILINE)
    reason = ", ".join(dict.fromkeys(line.strip() for line in bare.splitlines() if line.strip())) or f"exit code {code}"
    is_munge_down = "auth_g_create" in stderr
    if code < 0 or (re.search(_CONNECTION_LOST, stderr, re.IGNORECASE) and not is_munge_down):
        message = f"sbatch lost its connection to the controller while submitting {name}: {reason}"
        return SubmissionUncertainError(message)
    if re.search(_QUEUE_FULL, stderr):
        return QueueFullError(f"the queue has no room for {name}: {reason}; submit the rest when jobs have ended")
    advice = next((advice for pattern, advice in _ADVICE.items() if re.search(pattern, stderr, re.IGNORECASE)), "")
    message = f"sbatch refused {name}: {reason}" + (f"; {advice}" if advice else "")
    is_busy = re.search(_CONTROLLER_BUSY, stderr, re.IGNORECASE) and not is_munge_down
    return ControllerBusyError(message) if is_busy else SubmissionRefusedError(message)
