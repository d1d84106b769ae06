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
from slurm.requests.sbatch_output import (
    QueuedArray,
    SubmissionRefusedError,
    SubmissionUncertainError,
    explain_refusal,
    parse_sbatch,
)
from slurm.scheduler.slurm_command import CLUSTERS_VARIABLE

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
    "avoids_failed_nodes",
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
_DESTINATION = ("account", "constraint", "partition", "qos", "reservation", "wckey")
_JOB_PREFIXES = ("PMI", "SLURM_", "SRUN_")
_CLUSTER_VARIABLES = {"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_UMASK"}

_MISREAD = re.compile(r"[\\\x00-\x1f\x7f]|%[jt]")
"""Characters of a path that sbatch drops or that end its options, and patterns that submitit replaces."""


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
        clusters: Clusters to choose from, separated by commas; the default cluster of this machine if empty.
        exclude: Nodes to avoid in addition to those of the resources, in SLURM's notation.
    """

    name: str
    comment: str
    command: tuple[str, ...]
    tasks: int
    folder: Path
    resources: JobResources
    clusters: str = ""
    exclude: tuple[str, ...] = ()


def find_requested_clusters(resources: JobResources, environment: Mapping[str, str] = os.environ) -> str:
    """Return the clusters that the profile or, if it names none, the shell selects; empty for the default cluster.

    Raises:
        ValueError: The clusters are not named one by one.
    """
    selected = (environment.get("SBATCH_CLUSTERS"), environment.get(CLUSTERS_VARIABLE))
    clusters = str(resources.additional_parameters.get("clusters") or next(filter(None, selected), ""))
    if clusters == "all":
        raise ValueError("clusters: all does not say where jobs are: name the clusters, separated by commas")
    return clusters


def check_folder(folder: Path) -> None:
    """Check that SLURM can write into a folder of this name.

    Raises:
        ValueError: SLURM would misread the name.
    """
    text = os.fsencode(folder).decode("utf-8", "replace")
    if _MISREAD.search(text) or "\ufffd" in text:
        raise ValueError(
            f"SLURM cannot write into {text!r}: use a path in UTF-8 without backslashes, control characters such as "
            "line breaks, %j and %t"
        )


def render_script(request: ArrayRequest) -> str:
    """Return the batch script; SLURM need not be installed.

    Raises:
        ValueError: SLURM would misread the name of the folder.
    """
    check_folder(request.folder)
    executor = _make_executor(request.folder)
    executor.update_parameters(**executor._convert_parameters(_make_parameters(request)))
    executor.parameters["map_count"] = request.tasks  # an array even for one element: job IDs always name the element
    return executor._make_submission_file_text(_make_command(request), uid="") + "\n"


def send_array(request: ArrayRequest, environment: Mapping[str, str] | None = None) -> QueuedArray:
    """Write the script to batch.sh, hand it to sbatch once, and return the array that sbatch reports.

    Args:
        request: Array to submit.
        environment: Variables in addition to those of this process.

    Raises:
        SubmissionRefusedError: Nothing was queued.
        QueueFullError: Nothing was queued, because the queue is full.
        ControllerBusyError: Nothing was queued, because the controller is busy or restarts.
        SubmissionUncertainError: The array may have been queued.
    """
    text, path = render_script(request), request.folder / "batch.sh"
    write_text(path, text)
    variables = select_variables(text, os.environ | dict(environment or {}))
    output = _run_sbatch(_make_executor(request.folder)._make_submission_command(path), variables, name=request.name)
    array = parse_sbatch(output)
    if array is None:
        message = f"sbatch accepted {request.name} but printed no job ID: {' '.join(output.split())!r}"
        raise SubmissionUncertainError(message)
    return array


def _make_executor(folder: Path) -> SlurmExecutor:
    from submitit import SlurmExecutor

    class OfflineExecutor(SlurmExecutor):
        """Executor of submitit that also works on machines without srun, and asks sbatch for number and cluster."""

        @classmethod
        def affinity(cls) -> int:
            return 1

        def _make_submission_command(self, submission_file_path: Path) -> list[str]:
            sbatch, *words = super()._make_submission_command(submission_file_path)
            return [sbatch, "--parsable", *words]

    return OfflineExecutor(str(folder).replace("%", "%%"))  # SLURM replaces %j and the like in names of files


def _make_parameters(request: ArrayRequest) -> dict[str, Any]:
    """Return the options under submitit's names; None leaves an option out."""
    resources = request.resources
    parameters = resources.model_dump(exclude=_NOT_SUBMITIT)
    if resources.mem_gb is None:
        del parameters["mem_gb"]
    requeue = "requeue" if resources.requeue else "no-requeue"
    further: dict[str, Any] = {requeue: True} | resources.additional_parameters
    further |= {"clusters": request.clusters} if request.clusters else {}
    return parameters | {
        "name": request.name,
        "comment": request.comment,
        "wckey": None,  # submitit's own is unknown to a cluster that checks them
        "gpus_per_node": resources.gpus_per_node or None,
        "exclusive": resources.exclusive or None,
        "exclude": ",".join(filter(None, (resources.exclude, *request.exclude))) or None,
        "stderr_to_stdout": True,
        "setup": [*resources.setup, *_export_search_path(), "code=0"],
        "srun_args": _make_srun_arguments(resources),
        "teardown": [*(_REQUEUE if resources.requeue else ()), 'exit "$code"'],
        "additional_parameters": further,
    }


def _export_search_path() -> list[str]:
    """Return a line that lets the nodes find this package first, even if it is not installed.

    Empty entries, which stand for the working folder, are dropped.
    """
    own = "" if ROOT.name in ("site-packages", "dist-packages") else shlex.quote(str(ROOT))
    entries = f'{own}":${{PYTHONPATH:-}}"'
    return [f"PYTHONPATH=$(printf %s {entries} | sed 's/::*/:/g; s/^://; s/:$//')", "export PYTHONPATH"]


def _make_srun_arguments(resources: JobResources) -> list[str]:
    """Return options that srun does not inherit from sbatch (since 22.05), and one that ends all tasks if one fails.

    The environment that `setup` leaves is passed on even if the job itself was submitted with none of it.
    """
    end_together = ["--kill-on-bad-exit=1"] if resources.tasks > 1 else []
    return ["--export=ALL", f"--cpus-per-task={resources.cpus_per_task}", *end_together, *resources.srun_args]


def _make_command(request: ArrayRequest) -> str:
    """Return the command for srun; its exit code is kept even if a line of `setup` lets errors end the script."""
    resources = request.resources
    interpreter = resources.python or shlex.quote(sys.executable)
    # -P: files of the working folder are not modules, whatever they are called
    words = [resources.container or "", interpreter, "-u -P", *map(shlex.quote, request.command)]
    return " ".join(word for word in words if word) + " || code=$?"


def select_variables(text: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of sbatch, which becomes that of the job.

    SBATCH_ variables would override the script: only those are kept that select a destination which the script leaves
    open. Clusters are named by the script, so that jobs do not inherit the variable. If this process is part of a job,
    the variables of that job (memory, tasks, number of starts, array element) would override or be mistaken for those
    of the new job: only those are kept that identify the cluster.
    """
    dropped = {name for name in environment if name.startswith("SBATCH_") and not _is_destination(name, text)}
    dropped.add(CLUSTERS_VARIABLE)
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
    raise explain_refusal(done.stderr, name=name, code=done.returncode)
