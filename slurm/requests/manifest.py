"""A submission as a file: which element of a job array works on which runs.

    ROOT/submissions/<id>/manifest.json   written before anything is asked of the scheduler
    ROOT/submissions/<id>/job.json        the scheduler's id; written by whoever learns it first: the submitter, the job
                                          itself when it starts, or a later submitter who finds it in the queue
    ROOT/submissions/<id>/batch.sh, logs  what was sent, and what the scheduler's processes print

So a submitter may be killed anywhere, and no job is lost or sent twice.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from benchmark.store.store import Store
from benchmark.utils.atomic_files import read_value, write_new, write_text, written
from benchmark.utils.frozen_model import FrozenModel

FOLDER = "submissions"
VARIABLES = "CHIMERA_BENCH_"


class Manifest(FrozenModel):
    """What one job array is to do.

    Attributes:
        id: of the submission; its last eight characters are unique.
        study: what the plan is called.
        profile: name of the cluster profile.
        created: seconds since 1970.
        tasks: for each element of the array, the ids of its runs.
        attempts: how many attempts a run had when it was submitted; 0 where it is not named.
        lives: attempts of a run in a row without progress after which it has failed.
        at_once: runs of an element that work side by side.
        threads, workers, checkpoint_every: of each run.
        grace_s: seconds that runs have to save what they did once the element is told to end.
        gpus, cpus: that an element asks for, over all its nodes.
        store: absolute path of the store, as the nodes see it.
        variables: the package's own environment variables.
    """

    id: str
    study: str
    profile: str
    created: float
    tasks: tuple[tuple[str, ...], ...]
    attempts: dict[str, int] = Field(default_factory=dict)
    lives: int = Field(ge=1)
    at_once: int = Field(ge=1)
    threads: int = Field(ge=1)
    workers: int = Field(ge=0)
    checkpoint_every: int = Field(default=0, ge=0)
    grace_s: float = Field(ge=0)
    gpus: int = Field(default=0, ge=0)
    cpus: int = Field(default=1, ge=1)
    store: str
    variables: dict[str, str] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its job, by which it is told from every other job."""
        return f"cb-{self.study[:60]}-{self.id[-8:]}"

    @property
    def comment(self) -> str:
        """Of its job, for people."""
        return f"chimera-bench {self.id}"


class Sent(FrozenModel):
    """That a submission reached the scheduler.

    Attributes:
        job: the scheduler's id of the array.
        time: when this was learnt, in seconds since 1970.
    """

    job: str
    time: float


@dataclass(frozen=True)
class Submission:
    """A manifest and what is known of its job; `sent` is None where nobody knows whether it reached the scheduler."""

    folder: Path
    manifest: Manifest
    sent: Sent | None


def new_id(study: str) -> str:
    """An id that sorts by time: when, what, and eight random hex digits."""
    when = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return f"{when}-{re.sub(r'[^A-Za-z0-9_.=+-]+', '-', study)[:60]}-{uuid.uuid4().hex[:8]}"


def own_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The package's environment variables, which a job must see even where the site passes none on."""
    return {name: value for name, value in environment.items() if name.startswith(VARIABLES)}


def folder_of(store: Store, submission: str) -> Path:
    """Where a submission lies."""
    return store.root / FOLDER / submission


def write_manifest(store: Store, manifest: Manifest) -> Path:
    """Lay down what a job is to do; returns the file."""
    path = folder_of(store, manifest.id) / "manifest.json"
    write_text(path, written(manifest))
    return path


def read_manifest(path: Path) -> Manifest:
    """Raises ValueError naming the file where it is missing or broken."""
    return read_value(Manifest, path)


def mark_sent(folder: Path, job: str) -> None:
    """Keep the scheduler's id of a submission; who comes first is right, the others say the same."""
    try:
        write_new(folder / "job.json", written(Sent(job=job, time=time.time())))
    except FileExistsError:
        return


def withdraw(folder: Path) -> None:
    """Take back a submission that never reached the scheduler."""
    os.replace(folder / "manifest.json", folder / "withdrawn.json")


def submissions(store: Store) -> Iterator[Submission]:
    """Every submission, the oldest first; one whose files are broken is an error that names the file.

    Raises:
        ValueError: a file is broken.
    """
    for path in sorted((store.root / FOLDER).glob("*/manifest.json")):
        job = path.parent / "job.json"
        sent = read_value(Sent, job) if job.exists() else None
        yield Submission(path.parent, read_manifest(path), sent)


@dataclass(frozen=True)
class Place:
    """Where a run was last submitted to: an element of an array."""

    submission: Submission
    task: int

    @property
    def target(self) -> tuple[str, int] | None:
        """The element as the scheduler numbers it; None where it is not known to have been sent."""
        return (self.submission.sent.job, self.task) if self.submission.sent else None


def places(store: Store) -> dict[str, Place]:
    """The latest place of every run that was ever submitted."""
    found: dict[str, Place] = {}
    for submission in submissions(store):
        for task, ids in enumerate(submission.manifest.tasks):
            found |= dict.fromkeys(ids, Place(submission, task))
    return found
