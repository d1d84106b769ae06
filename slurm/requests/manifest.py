"""A submission on disk: which element of a job array works on which runs.

    ROOT/submissions/<id>/manifest.json   written before anything is sent to the scheduler
    ROOT/submissions/<id>/job.json        the scheduler's job ID and cluster; written by the first process that knows
                                          them: the submitter, the job when it starts, or a submitter that finds it
    ROOT/submissions/<id>/batch.sh, logs  the batch script, and the output of the scheduler's processes

A submitter may therefore be killed at any time, and no job is lost or sent twice.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from benchmark.store.store import Store
from benchmark.utils.atomic_files import describe_unreadable, format_json, read_value, write_new, write_text
from benchmark.utils.frozen_model import FrozenModel

FOLDER = "submissions"
VARIABLES = "CHIMERA_BENCH_"


class Manifest(FrozenModel):
    """Work of one job array.

    Attributes:
        id: ID of the submission; its last eight characters are unique.
        study: Name of the plan.
        profile: Name of the cluster profile.
        created: Time of the submission in seconds since 1970.
        tasks: IDs of the runs of each element of the array.
        attempts: Number of attempts at each run before the submission; runs without attempts are left out.
        max_attempts_without_progress: Attempts in a row that save nothing new before a run has failed.
        concurrent_runs: Runs of an element that are worked on at a time.
        threads: CPU threads of each run.
        workers: Data-loading processes of each run.
        checkpoint_every: Iterations between two checkpoints of a run; 0 lets the clock decide.
        measures_cost: Whether the cost of each run's method is measured.
        grace_s: Seconds that runs have to save their state after the element was interrupted.
        gpus: GPUs of an element over all its nodes.
        cpus: Processors of an element over all its nodes.
        store: Absolute path of the store on the nodes.
        variables: Environment variables of this package.
        clusters: Clusters that the submission names, separated by commas; empty for the submitter's default cluster.
        code: Digest of the code of each run at the time of the submission; a run of other code fails.
        avoided_nodes: Nodes that the array does not use because they failed under earlier jobs, and why.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {
        "lives": "max_attempts_without_progress",
        "at_once": "concurrent_runs",
    }

    id: str
    study: str
    profile: str
    created: float
    tasks: tuple[tuple[str, ...], ...]
    attempts: dict[str, int] = Field(default_factory=dict)
    max_attempts_without_progress: int = Field(ge=1)
    concurrent_runs: int = Field(ge=1)
    threads: int = Field(ge=1)
    workers: int = Field(ge=0)
    checkpoint_every: int = Field(default=0, ge=0)
    measures_cost: bool = True
    grace_s: float = Field(ge=0)
    gpus: int = Field(default=0, ge=0)
    cpus: int = Field(default=1, ge=1)
    store: str
    variables: dict[str, str] = Field(default_factory=dict)
    clusters: str = ""
    code: dict[str, str] = Field(default_factory=dict)
    avoided_nodes: dict[str, str] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """Unique name of the job."""
        return f"cb-{_simplify(self.study)}-{self.id[-8:]}"

    @property
    def comment(self) -> str:
        """Comment of the job, for people."""
        return f"chimera-bench {self.id}"


class SentJob(FrozenModel):
    """Proof that a submission reached the scheduler.

    Attributes:
        job: The scheduler's ID of the array.
        time: Time when the ID became known, in seconds since 1970.
        cluster: Name of the cluster that the array is queued on; empty if unknown.
    """

    job: str
    time: float
    cluster: str = ""


@dataclass(frozen=True)
class Submission:
    """A manifest and its job.

    Attributes:
        folder: Folder of the submission.
        manifest: Work of the job array.
        sent: The scheduler's job; None if it is not known whether the submission reached the scheduler.
    """

    folder: Path
    manifest: Manifest
    sent: SentJob | None

    @property
    def run_ids(self) -> set[str]:
        """IDs of all runs of the submission."""
        return {run_id for ids in self.manifest.tasks for run_id in ids}

    def find_targets(self, run_ids: Set[str]) -> set[tuple[str, int]]:
        """Return job ID and index of the elements that work on any of the given runs; empty if `sent` is None."""
        if self.sent is None:
            return set()
        return {(self.sent.job, index) for index, ids in enumerate(self.manifest.tasks) if not run_ids.isdisjoint(ids)}


@dataclass(frozen=True)
class SubmittedTask:
    """An element of a submitted array.

    Attributes:
        submission: Submission of the array.
        index: Index in the array.
    """

    submission: Submission
    index: int

    @property
    def target(self) -> tuple[str, int] | None:
        """Job ID and index; None if it is not known whether the element reached the scheduler."""
        return (self.submission.sent.job, self.index) if self.submission.sent else None

    @property
    def label(self) -> str:
        """Job ID and index as SLURM writes them, with the cluster if it is known."""
        sent = self.submission.sent
        if sent is None:
            return f"an element of {self.submission.manifest.name}"
        return f"{sent.job}_{self.index}" + (f" on {sent.cluster}" if sent.cluster else "")

    @property
    def log_path(self) -> Path:
        """Output of the element outside of its runs; a file that does not exist if the job ID is unknown."""
        sent = self.submission.sent
        return self.submission.folder / (f"{sent.job}_{self.index}_0_log.out" if sent else "unknown")

    @property
    def run_ids(self) -> tuple[str, ...]:
        """IDs of the runs of this element."""
        return self.submission.manifest.tasks[self.index]


def make_submission_id(study: str) -> str:
    """Return a new ID that sorts by time: time, study, and eight random hex digits."""
    now = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return f"{now}-{_simplify(study)}-{uuid.uuid4().hex[:8]}"


def collect_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return this package's environment variables, which a job needs even if the site passes no variables on."""
    return {name: value for name, value in environment.items() if name.startswith(VARIABLES)}


def get_submission_folder(store: Store, submission: str) -> Path:
    """Return the folder of a submission, given by its ID."""
    return store.root / FOLDER / submission


def write_manifest(store: Store, manifest: Manifest) -> Path:
    """Write a manifest and return its path."""
    path = get_submission_folder(store, manifest.id) / "manifest.json"
    write_text(path, format_json(manifest))
    return path


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        ValueError: The file is missing or broken; the message names it.
    """
    return read_value(Manifest, path)


def mark_sent(folder: Path, job: str, *, cluster: str = "") -> None:
    """Record the scheduler's job ID of a submission and its cluster, unless they are already recorded."""
    try:
        write_new(folder / "job.json", format_json(SentJob(job=job, time=time.time(), cluster=cluster)))
    except FileExistsError:
        return


def withdraw(folder: Path) -> None:
    """Withdraw a submission that never reached the scheduler."""
    os.replace(folder / "manifest.json", folder / "withdrawn.json")


def raise_problem(text: str) -> None:
    """Refuse to go on without a submission that cannot be read.

    Raises:
        ValueError: Always, with this text.
    """
    raise ValueError(text)


def ignore_problem(text: str) -> None:
    """Go on without a submission that cannot be read, because another reader says so."""


def read_submissions(store: Store, *, notify: Callable[[str], None] = raise_problem) -> Iterator[Submission]:
    """Yield all submissions, oldest first.

    Args:
        store: Store of the runs.
        notify: Function for one line about each submission that cannot be read.

    Raises:
        ValueError: A file is broken or cannot be read, and there is no `notify`; the message names it.
    """
    for path in _list_manifests(store):
        try:
            if not path.exists():  # withdrawn
                continue
            job = path.parent / "job.json"
            sent = read_value(SentJob, job) if job.exists() else None
            submission = Submission(path.parent, read_manifest(path), sent)
        except OSError as error:
            notify(describe_unreadable(path, error))
        except ValueError as error:
            notify(str(error))
        else:
            yield submission


def _list_manifests(store: Store) -> list[Path]:
    try:
        return sorted(folder / "manifest.json" for folder in (store.root / FOLDER).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def locate_runs(store: Store, *, notify: Callable[[str], None] = raise_problem) -> dict[str, SubmittedTask]:
    """Return the latest array element of every run that was ever submitted, by the ID of the run.

    Arguments and errors are those of `read_submissions`.
    """
    tasks: dict[str, SubmittedTask] = {}
    for submission in read_submissions(store, notify=notify):
        for index, ids in enumerate(submission.manifest.tasks):
            tasks |= dict.fromkeys(ids, SubmittedTask(submission, index))
    return tasks


def _simplify(study: str) -> str:
    """Return the name of a study without characters that SLURM or a file system may misread."""
    return re.sub(r"[^A-Za-z0-9_.=+-]+", "-", study)[:60]
