"""What one job asks for, and how it goes about its runs."""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from benchmark.execution import worker_process
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import FrozenModel

_OURS = {
    **dict.fromkeys(("array", "comment", "error", "input", "job-name", "output", "wrap"), "it is set for every job"),
    **dict.fromkeys(("no-requeue", "open-mode", "requeue"), "set requeue instead; logs are always appended to"),
    "ntasks": "set nodes and tasks_per_node instead",
    "ntasks-per-node": "set tasks_per_node instead",
    "signal": "set signal_delay_s instead",
    "time": "set timeout_min instead",
}
"""Options of sbatch that nobody else may set, and what to do."""


def _text(value: object) -> object:
    if isinstance(value, bool | int | float):
        raise ValueError(f"YAML reads this as {value!r}: put it in quotes")
    if isinstance(value, str) and (not value.strip() or "\n" in value):
        raise ValueError("this must be one line of text")
    return value


def _minutes(value: object) -> object:
    if value is not None and (not isinstance(value, int) or value < 1):
        raise ValueError("SLURM counts whole minutes, from 1 on; ten hours and a half are 630")
    return value


def _shell_words(value: object) -> object:
    try:
        _ = shlex.split(value) if isinstance(value, str) else ()
    except ValueError as error:
        raise ValueError(f"no shell can read this ({error})") from None
    return _text(value)


Text = Annotated[str, BeforeValidator(_text)]
Minutes = Annotated[int | None, BeforeValidator(_minutes)]
ShellWords = Annotated[str, BeforeValidator(_shell_words)]


class Resources(FrozenModel):
    """What one job asks for, spelt as submitit spells it, and how it goes about its runs.

    None, where that is the default, leaves it to the cluster.

    Attributes:
        partition, account, qos, constraint, nodelist, exclude, gres: as sbatch has them.
        nodes, tasks_per_node: more than one task in all is for runs that are spread over so many.
        gpus_per_node: of each node.
        cpus_per_task: shared by the runs of a job.
        mem_gb: of each node.
        exclusive: no other job on its nodes.
        timeout_min: after so long SLURM ends the job; a run that is not done by then goes on in the next one.
        signal_delay_s: so long before that it is warned, to save what it has; SLURM may warn a minute earlier.
        array_parallelism: jobs of one array that may run at a time.
        requeue: whether a job that ends early is queued again.
        setup: lines of shell before the job begins, such as `module load cuda`.
        python: interpreter on the nodes, as their shell reads it; the present one where None.
        container: words before `python`, as the shell of the node reads them, such as `apptainer exec --nv image.sif`.
        srun_args: further options of srun.
        mail_type, mail_user: as sbatch has them.
        additional_parameters: further options of sbatch, without the dashes before them; true for a flag.
        runs_per_job: runs that a job works on.
        side_by_side: how many of them at a time, sharing the processors and GPUs of the job; all where None. With fewer
            than all, torch is loaded once a job and not once a run.
        threads: CPU threads of each run; where None its share of the processors, or 1 where there are GPUs. Sums may
            differ in the last bit under another number.
        workers: processes of each run that read images ahead; where None none, or what the thread of a run on a GPU
            leaves of its share.
        checkpoint_every: iterations between two checkpoints of a run; 0 lets the clock decide.
        lives: attempts at a run, one after another without progress, after which it has failed.
    """

    partition: Text | None = None
    account: Text | None = None
    qos: Text | None = None
    constraint: Text | None = None
    nodelist: Text | None = None
    exclude: Text | None = None
    gres: Text | None = None
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
    mail_type: Text | None = None
    mail_user: Text | None = None
    additional_parameters: dict[str, bool | int | float | str] = Field(default_factory=dict)
    runs_per_job: int = Field(default=1, ge=1)
    side_by_side: int | None = Field(default=None, ge=1)
    threads: int | None = Field(default=None, ge=1)
    workers: int | None = Field(default=None, ge=0)
    checkpoint_every: int = Field(default=0, ge=0)
    lives: int = Field(default=3, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _settings_are_known(cls, fields: object) -> object:
        for name in fields if isinstance(fields, dict) else ():
            if name not in cls.model_fields:
                hint = "; other options of sbatch go under additional_parameters"
                raise ValueError(unknown_name("setting", str(name), cls.model_fields) + hint)
        return fields

    @field_validator("setup", mode="before")
    @classmethod
    def _setup_may_be_one_block(cls, lines: object) -> object:
        return [line for line in lines.splitlines() if line.strip()] if isinstance(lines, str) else lines

    @field_validator("additional_parameters")
    @classmethod
    def _further_options_are_nobody_elses(cls, options: dict[str, Any]) -> dict[str, Any]:
        spelt = {name.replace("_", "-"): value for name, value in options.items()}
        for name, value in spelt.items():
            if name.startswith("-"):
                raise ValueError(f"{name} is written without the dashes before it")
            if value is False:
                raise ValueError(f"{name}: a flag that is not set is left out, not false")
            if name in _OURS:
                raise ValueError(f"{name} cannot be set: {_OURS[name]}")
            if name.replace("-", "_") in cls.model_fields:
                raise ValueError(f"{name} belongs one level up, as {name.replace('-', '_')}")
        return spelt

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.timeout_min is not None and self.signal_delay_s >= 60 * self.timeout_min:
            limit = f"the {60 * self.timeout_min} s of timeout_min {self.timeout_min}"
            raise ValueError(f"signal_delay_s {self.signal_delay_s} must be less than {limit}")
        if self.runs_per_job > 1 and self.tasks > 1:
            why = "a run that is spread over tasks has a job of its own"
            raise ValueError(f"runs_per_job {self.runs_per_job} does not go with {self.tasks} tasks: {why}")
        if self.container and not self.python:
            raise ValueError("container is set: say which python it has, such as python: python3")
        if self.mem_gb and "mem" in self.additional_parameters:
            raise ValueError("mem_gb and additional_parameters: mem are the same option; keep one")
        if self.gpus_per_node and self._gpus_in_gres():
            raise ValueError("gpus_per_node and gres both ask for GPUs; keep one")
        return self

    @property
    def tasks(self) -> int:
        """Of one job."""
        return self.nodes * self.tasks_per_node

    @property
    def cpus(self) -> int:
        """Of one job."""
        return self.tasks * self.cpus_per_task

    @property
    def gpus(self) -> int:
        """Of one job, as far as gpus_per_node or gres say."""
        return self.nodes * (self.gpus_per_node or self._gpus_in_gres())

    @property
    def at_once(self) -> int:
        """Runs that a job works on at a time."""
        return min(self.side_by_side or self.runs_per_job, self.runs_per_job)

    @property
    def each(self) -> worker_process.Resources:
        """What each run of a job may use."""
        share = max(1, self.cpus_per_task // self.at_once)
        threads = self.threads or (1 if self.gpus else share)
        rest = max(0, share - threads) if self.gpus else 0
        workers = rest if self.workers is None else self.workers
        return worker_process.Resources(threads, workers, self.checkpoint_every)

    def _gpus_in_gres(self) -> int:
        """The number in `gpu`, `gpu:2` or `gpu:a100:2`, one of several with commas between."""
        asked = [entry.split(":") for entry in (self.gres or "").split(",")]
        return sum(int(words[-1]) if words[-1].isdigit() else 1 for words in asked if words[0] == "gpu")
