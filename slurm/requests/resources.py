"""Resources that one job requests, and how the job shares them among its runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from benchmark.execution.worker_process import WorkerResources
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.shown_values import show_value

_RESERVED = {
    **dict.fromkeys(
        ("array", "comment", "error", "input", "job-name", "output", "wrap"), "it is set automatically for every job"
    ),
    **dict.fromkeys(("no-requeue", "open-mode", "requeue"), "set requeue instead; logs are always appended"),
    "ntasks": "set nodes and tasks_per_node instead",
    "ntasks-per-node": "set tasks_per_node instead",
    "signal": "set signal_delay_s instead",
    "time": "set timeout_min instead",
}
"""Options of sbatch that additional_parameters may not set, and what to do instead."""


_MISREAD = re.compile(r"[\\\x00-\x1f\x7f]")
_OPTION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


def _check_text(value: object) -> object:
    if isinstance(value, bool | int | float):
        raise ValueError(f"YAML reads this as {show_value(value)}: put it in quotes")
    if isinstance(value, str) and (not value.strip() or "\n" in value):
        raise ValueError("this must be one line of text")
    return value


def _check_option(value: object) -> object:
    if isinstance(value, str) and _MISREAD.search(value):
        raise ValueError("SLURM would misread backslashes and control characters; write it without")
    return _check_text(value)


def _check_minutes(value: object) -> object:
    if value is not None and (not isinstance(value, int) or value < 1):
        raise ValueError("SLURM counts whole minutes from 1; for example, 10.5 hours are 630")
    return value


def _check_shell_words(value: object) -> object:
    try:
        _ = shlex.split(value) if isinstance(value, str) else ()
    except ValueError as error:
        raise ValueError(f"a shell cannot parse this ({error})") from None
    return _check_text(value)


Text = Annotated[str, BeforeValidator(_check_text)]
Option = Annotated[str, BeforeValidator(_check_option)]
Minutes = Annotated[int | None, BeforeValidator(_check_minutes)]
ShellWords = Annotated[str, BeforeValidator(_check_shell_words)]


class JobResources(FrozenModel):
    """Resources that one job requests, named as in submitit, and how the job works on its runs.

    A setting whose default is None is left to the cluster.

    Attributes:
        partition: Partition, or several separated by commas.
        account: Account that is charged.
        qos: Quality of service.
        constraint: Features that the nodes must have.
        nodelist: Nodes to use.
        exclude: Nodes to avoid.
        gres: Generic resources of each node, such as gpu:rtx3090:1.
        nodes: Number of nodes; more than one task in all is for runs that are spread over that many tasks.
        tasks_per_node: Number of tasks on each node.
        gpus_per_node: Number of GPUs on each node.
        cpus_per_task: Number of processors of each task, shared by the runs of a job.
        mem_gb: Memory of each node.
        exclusive: Whether the job has its nodes to itself.
        timeout_min: Time limit; a run that is not done by then continues in the next job.
        signal_delay_s: Seconds before the time limit at which SLURM warns the job, so that it can save its state; the
            warning may come up to a minute earlier.
        array_parallelism: Largest number of jobs of one array that run at a time.
        requeue: Whether a job that ends early is requeued.
        setup: Lines of shell that run before the job begins, such as `module load cuda`.
        python: Interpreter on the nodes, as their shell reads it; None for the interpreter of this process.
        container: Words before `python`, as the shell of the node reads them, such as `apptainer exec --nv image.sif`.
        srun_args: Further options of srun.
        mail_type: Events that send a mail, such as FAIL.
        mail_user: Recipient of the mails.
        additional_parameters: Further options of sbatch, without leading dashes; true for a flag.
        runs_per_job: Number of runs that a job works on.
        side_by_side: Number of runs that a job works on at a time, sharing its processors and GPUs; None for all. With
            fewer than all, torch is imported once per job instead of once per run.
        threads: CPU threads of each run; None for its share of the processors, or 1 if there are GPUs. The number of
            threads may change the last bit of a sum.
        workers: Data-loading processes of each run; None for none, or, if there are GPUs, for the run's share of the
            processors minus its threads.
        checkpoint_every: Iterations between two checkpoints of a run; 0 lets the clock decide.
        measures_cost: Whether the cost of each run's method is measured after evaluation.
        max_attempts_without_progress: Attempts in a row that save nothing new before a run has failed.
        avoids_failed_nodes: Whether later submissions avoid nodes under which runs failed by no fault of their own.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"lives": "max_attempts_without_progress"}

    partition: Option | None = None
    account: Option | None = None
    qos: Option | None = None
    constraint: Option | None = None
    nodelist: Option | None = None
    exclude: Option | None = None
    gres: Option | None = None
    nodes: int = Field(default=1, ge=1)
    tasks_per_node: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=0, ge=0)
    cpus_per_task: int = Field(default=1, ge=1)
    mem_gb: float | None = Field(default=None, gt=0)
    exclusive: bool = False
    timeout_min: Minutes = None
    signal_delay_s: int = Field(default=120, ge=1, le=65535)
    array_parallelism: int = Field(default=256, ge=1)
    requeue: bool = True
    setup: tuple[Text, ...] = ()
    python: ShellWords | None = None
    container: ShellWords | None = None
    srun_args: tuple[Text, ...] = ()
    mail_type: Option | None = None
    mail_user: Option | None = None
    additional_parameters: dict[str, bool | int | float | str] = Field(default_factory=dict)
    runs_per_job: int = Field(default=1, ge=1)
    side_by_side: int | None = Field(default=None, ge=1)
    threads: int | None = Field(default=None, ge=1)
    workers: int | None = Field(default=None, ge=0)
    checkpoint_every: int = Field(default=0, ge=0)
    measures_cost: bool = True
    max_attempts_without_progress: int = Field(default=3, ge=1)
    avoids_failed_nodes: bool = True

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, fields: object) -> object:
        known = {*cls.model_fields, *cls.renamed_fields}
        for name in fields if isinstance(fields, dict) else ():
            if name not in known:
                hint = "; other options of sbatch go under additional_parameters"
                raise ValueError(explain_unknown_name("setting", str(name), cls.model_fields) + hint)
        return fields

    @field_validator("setup", mode="before")
    @classmethod
    def _split_setup(cls, lines: object) -> object:
        return [line for line in lines.splitlines() if line.strip()] if isinstance(lines, str) else lines

    @field_validator("additional_parameters")
    @classmethod
    def _check_additional_parameters(cls, options: dict[str, Any]) -> dict[str, Any]:
        dashed = {name.replace("_", "-"): value for name, value in options.items()}
        for name, value in dashed.items():
            if name.startswith("-"):
                raise ValueError(f"{name}: write it without the leading dashes")
            if not _OPTION_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of an option of sbatch")
            if isinstance(value, str) and _MISREAD.search(value):
                raise ValueError(f"{name}: SLURM would misread backslashes and control characters; write it without")
            if value is False:
                raise ValueError(f"{name}: to leave a flag unset, remove it instead of writing false")
            if value in ("yes", "no", "on", "off"):
                raise ValueError(f"{name}: {value} is a text: write true for a flag")
            if name in _RESERVED:
                raise ValueError(f"{name} cannot be set: {_RESERVED[name]}")
            if name.replace("-", "_") in cls.model_fields:
                raise ValueError(f"{name} belongs one level up, as {name.replace('-', '_')}")
        return dashed

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if self.timeout_min is not None and self.signal_delay_s >= 60 * self.timeout_min:
            limit = f"the {60 * self.timeout_min} s of timeout_min {self.timeout_min}"
            raise ValueError(f"signal_delay_s {self.signal_delay_s} must be less than {limit}")
        if self.runs_per_job > 1 and self.tasks > 1:
            why = "a run that is spread over tasks needs its own job"
            raise ValueError(f"runs_per_job {self.runs_per_job} cannot be combined with {self.tasks} tasks: {why}")
        if self.container and not self.python:
            raise ValueError(
                "container is set but python is not: name the interpreter in the container, such as python: python3"
            )
        if self.mem_gb and "mem" in self.additional_parameters:
            raise ValueError("mem_gb and additional_parameters: mem are the same option; keep one")
        if self.gpus_per_node and self._count_gres_gpus():
            raise ValueError("gpus_per_node and gres both request GPUs; keep one")
        return self

    @property
    def tasks(self) -> int:
        """Number of tasks of one job."""
        return self.nodes * self.tasks_per_node

    @property
    def cpus(self) -> int:
        """Number of processors of one job."""
        return self.tasks * self.cpus_per_task

    @property
    def gpus(self) -> int:
        """Number of GPUs of one job, according to gpus_per_node or gres."""
        return self.nodes * (self.gpus_per_node or self._count_gres_gpus())

    @property
    def concurrent_runs(self) -> int:
        """Number of runs that a job works on at a time."""
        return min(self.side_by_side or self.runs_per_job, self.runs_per_job)

    @property
    def per_run(self) -> WorkerResources:
        """Resources of each run of a job."""
        share = max(1, self.cpus_per_task // self.concurrent_runs)
        threads = self.threads or (1 if self.gpus else share)
        rest = max(0, share - threads) if self.gpus else 0
        workers = rest if self.workers is None else self.workers
        return WorkerResources(threads, workers, self.checkpoint_every, self.measures_cost)

    def _count_gres_gpus(self) -> int:
        """Return the number in `gpu`, `gpu:2` or `gpu:a100:2`, one of several entries separated by commas."""
        entries = [entry.split(":") for entry in (self.gres or "").split(",")]
        return sum(int(words[-1]) if words[-1].isdigit() else 1 for words in entries if words[0] == "gpu")
