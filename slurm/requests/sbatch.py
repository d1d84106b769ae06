"""The batch script of a job array, and handing it to SLURM. submitit spells the options; nothing is pickled."""

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
from benchmark.utils.paths import ROOT
from slurm.requests.resources import Resources

if TYPE_CHECKING:
    from submitit import SlurmExecutor

PATIENCE_S = 150.0
"""So long sbatch may take; by itself it tries for two minutes where the queue is full."""

AGAIN = 85
"""Exit code by which a job asks for another start."""

# A job that was killed (137) is queued again as well, and one that was warned (140) or told to end (143) before it
# could listen. It is named by array and element, because the last element has the id of the array for its own: with
# that the whole array would be taken back. After `scancel` nothing here is reached, as it ends this shell too.
_QUEUE_AGAIN = (
    'case "$code" in',
    f"  {AGAIN} | 137 | 140 | 143)",
    "    for pause in 5 30 60; do",
    '      scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" && break',
    '      sleep "$pause"',
    "    done ;;",
    "esac",
)

_NOT_SUBMITITS = {
    "checkpoint_every",
    "container",
    "lives",
    "python",
    "requeue",
    "runs_per_job",
    "side_by_side",
    "threads",
    "workers",
}
_WHERE = ("account", "clusters", "constraint", "partition", "qos", "reservation", "wckey")
_OF_A_JOB = ("PMI", "SLURM_", "SRUN_")
_OF_THE_CLUSTER = {"SLURM_CLUSTERS", "SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_UMASK"}

_LIMIT = r"SubmitJob|submission failed: Resource temporarily unavailable"
_LOST = (
    r"socket timed out|zero bytes|(send|receive|shutdown) failure|connection reset|broken pipe|unexpected message"
    r"|protocol authentication error"
)
_ADVICE = {
    "auth_g_create": "munge does not work on this machine",
    "connect failure": "the controller does not answer (scontrol ping): try again later",
    "configuration (file|source)": "this machine does not know a SLURM cluster: submit from a login node",
    "policy": "account or qos forbid that much (sacctmgr show qos)",
    "invalid account": "account and partition must be among yours (sacctmgr show associations user=$USER)",
    "partition": "partition must be one that is up (sinfo -s)",
    "qos spec": "qos must be one of the cluster's (sacctmgr show qos)",
    "array spec": "the array is larger than MaxArraySize (scontrol show config)",
    "time limit": "timeout_min must be within the partition's limit (sinfo -s)",
    "memory|configuration|feature|gres|processors|node": (
        "no node has that: see mem_gb, gpus_per_node, gres, cpus_per_task, nodes and constraint beside "
        "sinfo -o '%P %D %c %m %G %f'"
    ),
}


@dataclass(frozen=True)
class Batch:
    """A job array.

    Attributes:
        name, comment: of the job.
        command: words after the interpreter, such as ("-m", "slurm.job", "manifest.json").
        tasks: elements of the array; each learns its number from SLURM_ARRAY_TASK_ID.
        folder: for the script and for what the jobs print; the nodes must see it under the same path.
        resources: what each element asks for.
    """

    name: str
    comment: str
    command: tuple[str, ...]
    tasks: int
    folder: Path
    resources: Resources


class SubmissionRefused(ValueError):
    """Nothing was queued; says what SLURM says, and what to do."""


class LimitReached(SubmissionRefused):
    """Nothing was queued, as the queue holds all that it may hold of this user."""


class Uncertain(RuntimeError):
    """Nobody knows whether the job was queued: its name in the queue tells."""


def script(batch: Batch) -> str:
    """The text that sbatch is given; it can be made where there is no SLURM.

    Raises:
        ValueError: SLURM would read the folder's name as something else.
    """
    if re.search(r"[%'\\]", str(batch.folder)):
        raise ValueError(f"SLURM cannot write into {batch.folder}: use a path without %, quotes and backslashes")
    executor = _executor(batch.folder)
    executor.update_parameters(**executor._convert_parameters(_parameters(batch)))
    executor.parameters["map_count"] = batch.tasks  # an array also of one: ids always name the element
    return executor._make_submission_file_text(_command(batch), uid="") + "\n"


def send(batch: Batch, environment: Mapping[str, str] | None = None) -> str:
    """Write the script into the folder as batch.sh, then hand it to sbatch, once; returns the id of the array.

    Args:
        batch: what to send.
        environment: variables beside those of this process.

    Raises:
        SubmissionRefused, LimitReached: nothing was queued.
        Uncertain: it may have been queued.
    """
    from submitit.core.utils import FailedSubmissionError

    text, path = script(batch), batch.folder / "batch.sh"
    write_text(path, text)
    executor = _executor(batch.folder)
    variables = _variables(text, os.environ | dict(environment or {}))
    answer = _answer(executor._make_submission_command(path), variables, name=batch.name)
    try:
        return executor._get_job_id_from_submission_command(answer)
    except FailedSubmissionError as error:
        raise Uncertain(f"sbatch took {batch.name} and named no job: {' '.join(answer.split())!r}") from error


def _executor(folder: Path) -> SlurmExecutor:
    from submitit import SlurmExecutor

    class Anywhere(SlurmExecutor):
        """submitit's, also where there is no srun."""

        @classmethod
        def affinity(cls) -> int:
            return 1

    return Anywhere(folder)


def _parameters(batch: Batch) -> dict[str, Any]:
    """The options as submitit spells them; None leaves one out."""
    asked = batch.resources
    given = asked.model_dump(exclude=_NOT_SUBMITITS)
    if asked.mem_gb is None:
        del given["mem_gb"]
    return given | {
        "name": batch.name,
        "comment": batch.comment,
        "wckey": None,  # submitit's own is unknown to a cluster that checks them
        "gpus_per_node": asked.gpus_per_node or None,
        "exclusive": asked.exclusive or None,
        "stderr_to_stdout": True,
        "setup": [*asked.setup, *_search_path(), "code=0"],
        "srun_args": _srun_arguments(asked),
        "teardown": [*(_QUEUE_AGAIN if asked.requeue else ()), 'exit "$code"'],
        "additional_parameters": {"requeue" if asked.requeue else "no-requeue": True} | asked.additional_parameters,
    }


def _search_path() -> list[str]:
    """A line by which the nodes find this package also where it is not installed."""
    root = ROOT
    if root.name in ("site-packages", "dist-packages"):
        return []
    return [f'export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}"{shlex.quote(str(root))}']


def _srun_arguments(asked: Resources) -> list[str]:
    """What srun does not take over from sbatch (since 22.05), and that no task outlives one that failed."""
    together = ["--kill-on-bad-exit=1"] if asked.tasks > 1 else []
    return [f"--cpus-per-task={asked.cpus_per_task}", *together, *asked.srun_args]


def _command(batch: Batch) -> str:
    """What srun starts; the exit code is kept, also where a line of `setup` lets errors end the script."""
    asked = batch.resources
    words = [asked.container or "", asked.python or shlex.quote(sys.executable), "-u", *map(shlex.quote, batch.command)]
    return " ".join(word for word in words if word) + " || code=$?"


def _variables(text: str, given: Mapping[str, str]) -> dict[str, str]:
    """The variables for sbatch, which become those of the job.

    SBATCH_ variables would overrule the script: only those are kept that say where, and only where the script does not.
    Within a job, those of that job (its memory, tasks, number of starts, array element) would overrule those of the
    new one, or be taken for them: only those are kept that say which cluster this is.
    """
    dropped = {name for name in given if name.startswith("SBATCH_") and not _is_heard(name, text)}
    if "SLURM_JOB_ID" in given:
        dropped |= {name for name in given if name.startswith(_OF_A_JOB)} - _OF_THE_CLUSTER
    return {name: value for name, value in given.items() if name not in dropped}


def _is_heard(name: str, text: str) -> bool:
    option = name.removeprefix("SBATCH_").lower()
    return option in _WHERE and f"#SBATCH --{option}=" not in text


def _answer(command: Sequence[str], variables: Mapping[str, str], *, name: str) -> str:
    try:
        done = subprocess.run(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise Uncertain(f"sbatch gave no answer on {name} within {PATIENCE_S:.0f} s") from error
    except OSError as error:
        advice = "submit from a login node of the cluster, or use a profile with executor: local"
        raise SubmissionRefused(f"sbatch cannot be run here ({error.strerror}): {advice}") from error
    if done.returncode == 0:
        return done.stdout
    raise _refusal(done.stderr, name=name, code=done.returncode)


def _refusal(said: str, *, name: str, code: int) -> SubmissionRefused | Uncertain:
    """The error for what sbatch said; where the connection broke, the controller may have heard all of it."""
    bare = re.sub(r"^sbatch: (error: |fatal: )?(Batch job submission failed: )?", "", said, flags=re.MULTILINE)
    words = ", ".join(dict.fromkeys(line.strip() for line in bare.splitlines() if line.strip())) or f"exit code {code}"
    if code < 0 or (re.search(_LOST, said, re.IGNORECASE) and "auth_g_create" not in said):
        return Uncertain(f"sbatch lost its connection to the controller while it sent {name}: {words}")
    if re.search(_LIMIT, said):
        return LimitReached(f"the queue has no room for {name}: {words}; send the rest when jobs have ended")
    advice = next((advice for pattern, advice in _ADVICE.items() if re.search(pattern, said, re.IGNORECASE)), "")
    return SubmissionRefused(f"sbatch refused {name}: {words}" + (f"; {advice}" if advice else ""))
