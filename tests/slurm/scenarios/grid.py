"""Operations of the scenarios: a small grid on a real cluster, whose runs are slow until a test speeds them up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from slurm.requests.manifest import locate_runs
from slurm.testing import Cluster
from slurm.testing.cluster import daemons, processes
from tests.cli.shell import CommandResult, run_command
from tests.slurm.scenarios.job_attempt import JobAttempt, read_job_attempts

ROOT = Path(__file__).resolve().parents[3]
CRAWLER = str(Path(__file__).with_name("crawler.py"))
CHECKPOINT_EVERY, NEVER = 10, 10_000
"""Iterations between two checkpoints."""
DEFAULTS = {
    "executor": "slurm",
    "cpus_per_task": 1,
    "mem_gb": 0.5,
    "timeout_min": 30,
    "signal_delay_s": 60,
    "checkpoint_every": CHECKPOINT_EVERY,
}

Reference = Callable[[Store, str], str]
"""Function that returns the counts digest of an undisturbed run."""


@dataclass(frozen=True)
class Grid:
    """Study named "grid" in a store of its own, with one row per label.

    Attributes:
        cluster: Cluster that runs the study.
        root: Folder of all files.
        capsys: Fixture that captures the output of commands.
        reference: Function that returns the expected counts digest of a run.
    """

    cluster: Cluster
    root: Path
    capsys: pytest.CaptureFixture[str]
    reference: Reference

    @property
    def store(self) -> Store:
        """Store of the runs."""
        return Store(self.root / "runs")

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all runs, grouped by label."""
        return self.store.read_plan("grid").ids

    @property
    def run(self) -> str:
        """Id of the first run."""
        return self.ids[0]

    @property
    def _study(self) -> Path:
        return self.root / "grid.yaml"

    @property
    def _profile(self) -> Path:
        return self.root / "here.yaml"

    @property
    def behaviors(self) -> Path:
        """Folder from which runs read their behavior."""
        return self.root / "behaviors"

    # Commands of a user

    def write_study(
        self, *labels: str, seeds: int = 1, changes: dict[str, int] | None = None, held: bool = False, **settings: Any
    ) -> None:
        """Write and plan the study, and write the cluster profile.

        Args:
            labels: Labels of the rows; a single row if none is given.
            seeds: Number of seeds.
            changes: Dotted overrides.
            held: Whether jobs are held until they are released.
            settings: Settings of the profile.
        """
        rows = [{"method": CRAWLER, "set": {"label": label}} for label in labels or ("run",)]
        study = {"title": "Grid", "split": "toybox", "rows": rows, "seeds": [*range(seeds)], "max_images": 5}
        options = {"additional_parameters": {"hold": True}} if held else {}
        self._study.write_text(json.dumps(study | {"set": changes or {}}))
        self._profile.write_text(json.dumps(DEFAULTS | options | settings))
        assert self.run_command("plan", str(self._study)).code == 0

    def run_command(self, verb: str, *arguments: str) -> CommandResult:
        """Run a command on the store."""
        return run_command(self.capsys, "--runs", str(self.store.root), verb, *arguments)

    def submit(self, *arguments: str) -> CommandResult:
        """Submit unfinished runs."""
        return self.run_command("submit", str(self._study), "--cluster", str(self._profile), *arguments)

    def retry(self) -> CommandResult:
        """Resubmit failed runs."""
        return self.run_command("retry", "grid", "--cluster", str(self._profile))

    def start(self, *labels: str, **fields: Any) -> str:
        """Submit, wait until every run has a checkpoint (or trains, if it writes none), and return the first run."""
        self.write_study(*labels, **fields)
        result = self.submit()
        assert result.code == 0, result.err
        for run_id in self.ids:
            if fields.get("checkpoint_every") == NEVER:
                self.wait_training(run_id)
            else:
                self.wait_saved(run_id)
        return self.run

    def state(self, run_id: str) -> str:
        """Return the state of a run that `status` prints."""
        return self.states()[self.ids.index(run_id)]

    def states(self) -> list[str]:
        """Return the states of all runs that `status` prints, in the order of the plan."""
        return [str(entry["state"]) for entry in json.loads(self.run_command("status", "grid", "--json").out)]

    def start_submitter(self, *, path: str = os.environ["PATH"]) -> subprocess.Popen[str]:
        """Start to submit in a process of its own."""
        command = [sys.executable, "-m", "benchmark", "--runs", str(self.store.root), "submit", str(self._study)]
        command += ["--cluster", str(self._profile)]
        return subprocess.Popen(command, env=os.environ | {"PATH": path}, stdout=subprocess.DEVNULL, text=True)

    def kill_submitter(self, *, after_sending: bool) -> None:
        """Submit in a process that is killed while it waits for sbatch."""
        program = self.root / "bin" / "sbatch"
        program.parent.mkdir()
        sends = f'{shutil.which("sbatch")} "$@" >&2\n' if after_sending else ""
        program.write_text(f"#!/bin/sh\n{sends}kill -KILL $PPID\n")
        program.chmod(0o755)
        assert self.start_submitter(path=f"{program.parent}:{os.environ['PATH']}").wait() == -signal.SIGKILL

    def list_queue(self) -> list[str]:
        """Return the ids of all array tasks in the queue."""
        return self.cluster.call("squeue", "--noheader", "--array", "--format=%i").split()

    # Faults

    def preempt(self, run_id: str) -> None:
        """Preempt a run by a job of higher priority that uses its node for three seconds."""
        where = ("--partition=main", f"--nodelist={self.node(run_id)}", "--exclusive")
        self.cluster.call("sbatch", *where, "--output=/dev/null", "--wrap=sleep 3")

    def kill(self, run_id: str, *containing: str) -> None:
        """Kill the processes of a run's job whose command lines contain one of these texts."""
        pids = [pid for text in containing for pid in self.processes(run_id, containing=text)]
        assert pids, containing
        processes.kill(pids)

    def kill_step_daemon(self, run_id: str, step: str) -> None:
        """Kill the daemon of the batch script ("batch") or of its first step ("0")."""
        title = f"slurmstepd: [{self.job(run_id)['JobId']}.{step}]"
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        processes.kill(pid for pid in pids if _command_line(pid).startswith(title))

    @contextmanager
    def without_munge(self) -> Iterator[None]:
        """Make all requests to the scheduler fail in this context."""
        daemons.stop(self.cluster.paths, "munged")
        try:
            yield
        finally:
            daemons.start_munge(self.cluster.paths)

    @contextmanager
    def limit_jobs(self, jobs: int) -> Iterator[None]:
        """Limit the number of the user's jobs in this context."""
        self.cluster.limit_jobs(jobs)
        try:
            yield
        finally:
            self.cluster.limit_jobs(None)

    @contextmanager
    def small_disk(self, megabytes: int) -> Iterator[None]:
        """Put the store on a disk of this size; skip the test if none can be mounted."""
        self.store.root.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(self.store.root)]
        if subprocess.run(["mount", *options], capture_output=True).returncode:
            pytest.skip("only root may mount a disk")
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(self.store.root)], check=True)

    def enlarge_disk(self, megabytes: int) -> None:
        """Enlarge the disk of the store."""
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(self.store.root)], check=True)

    def set_behavior(self, word: str, *labels: str) -> None:
        """Set the behavior of runs in training: of these labels, or of all runs if none is given."""
        for label in labels or ("all",):
            (self.behaviors / label).write_text(word)

    def array_task(self, run_id: str) -> str:
        """Return the id of the array task to which a run was last submitted."""
        target = locate_runs(self.store)[run_id].target
        assert target is not None
        return f"{target[0]}_{target[1]}"

    def job(self, run_id: str) -> dict[str, str]:
        """Return the controller's fields of that array task."""
        text = self.cluster.call("scontrol", "--oneliner", "show", "job", self.array_task(run_id))
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def node(self, run_id: str) -> str:
        """Return the node of the latest attempt at a run."""
        job = self.store.run(run_id).read_attempts()[-1].owner.job
        assert job is not None
        return job.node

    def worker(self, run_id: str) -> int:
        """Return the process of the latest attempt at a run."""
        return self.store.run(run_id).read_attempts()[-1].owner.pid

    def processes(self, run_id: str, *, containing: str) -> list[int]:
        """Return the processes of a run's job whose command line contains a text."""
        return [
            pid for pid in self.cluster.find_job_processes(self.array_task(run_id)) if containing in _command_line(pid)
        ]

    # Results

    def list_attempts(self, run_id: str) -> list[JobAttempt]:
        """Return all attempts at a run."""
        return read_job_attempts(self.store.run(run_id))

    def failure(self, run_id: str) -> Failure:
        """Return the failure of a run."""
        failure = self.store.run(run_id).read_record().failure
        assert failure is not None
        return failure

    def wait(self, condition: Callable[[], bool], *, event: str, timeout_s: float = 90) -> None:
        """Wait until a condition holds; otherwise fail the test with a description of the situation."""
        if not processes.wait_until(condition, timeout_s=timeout_s):
            pytest.fail(f"not within {timeout_s:g} seconds: {event}\n{self._describe_situation()}")

    def wait_saved(self, run_id: str) -> None:
        """Wait until a run has a checkpoint."""
        self.wait(self.store.run(run_id).checkpoint_path.exists, event=f"{run_id} saves")

    def wait_training(self, run_id: str, *, attempt: int = 1) -> None:
        """Wait until an attempt at a run trains."""

        def trains() -> bool:
            beat, attempts = self.store.run(run_id).read_heartbeat(), self.store.run(run_id).read_attempts()
            is_there = beat is not None and len(attempts) == attempt and beat["pid"] == attempts[-1].owner.pid
            return is_there and beat["stage"] == "train"

        self.wait(trains, event=f"attempt {attempt} at {run_id} trains")

    def wait_attempt(self, number: int, run_id: str, *, timeout_s: float = 90) -> None:
        """Wait until this number of attempts at a run have started."""
        began = lambda: len(self.store.run(run_id).read_attempts()) >= number  # noqa: E731
        self.wait(began, event=f"attempt {number} at {run_id} begins", timeout_s=timeout_s)

    def wait_stored_state(self, state: str, *ids: str, timeout_s: float = 90) -> None:
        """Wait until runs have a state according to their files; all runs if none is given."""
        run_ids = ids or self.ids
        condition = lambda: {self.store.run(run_id).read_state() for run_id in run_ids} == {state}  # noqa: E731
        self.wait(condition, event=f"{state}: {', '.join(run_ids)}", timeout_s=timeout_s)

    def wait_status(self, state: str, run_id: str, *, timeout_s: float = 60) -> None:
        """Wait until `status` prints a state of a run."""
        self.wait(lambda: self.state(run_id) == state, event=f"{run_id} is {state}", timeout_s=timeout_s)

    def wait_ended(self, *, timeout_s: float = 90) -> None:
        """Wait until every run has a record."""
        condition = lambda: all(self.store.run(run_id).read_snapshot().record is not None for run_id in self.ids)  # noqa: E731
        self.wait(condition, event="every run has ended", timeout_s=timeout_s)

    def wait_empty(self, *, timeout_s: float = 60) -> None:
        """Wait until the scheduler's queue is empty."""
        self.wait(lambda: self.list_queue() == [], event="an empty queue", timeout_s=timeout_s)

    def wait_job(self, state: str, run_id: str, *, timeout_s: float = 60) -> None:
        """Wait until the controller reports a state of a run's job."""
        self.wait(lambda: self.job(run_id)["JobState"] == state, event=f"job {state}: {run_id}", timeout_s=timeout_s)

    def finish(self, *ids: str, timeout_s: float = 90) -> None:
        """Speed up runs (all if none is given), wait until they are done and check their counts."""
        run_ids = ids or self.ids
        self.set_behavior("rush", *(str(self.store.run(run_id).read_spec().config["label"]) for run_id in run_ids))
        self.wait_stored_state(RunState.DONE, *run_ids, timeout_s=timeout_s)
        for run_id in run_ids:
            assert self.store.run(run_id).read_record().counts_digest == self.reference(self.store, run_id), (
                self._describe_situation()
            )
            assert self.store.run(run_id).read_counts() is not None

    def _describe_situation(self) -> str:
        """Describe queue, runs and logs for the message of a failed test."""
        parts = [self.cluster.call("squeue", "--all") if self.cluster.is_running else "no controller"]
        for run_id in self.ids:
            parts.append(f"{run_id}: {self.store.run(run_id).read_state()}, {self.list_attempts(run_id)}")
        logs = {*self.store.root.glob("submissions/*/*.out"), *self.store.root.glob("*/attempts/*/log.txt")}
        for log in sorted(logs):
            lines = log.read_text(errors="replace").splitlines()[-8:]
            parts += ["", str(log.relative_to(self.store.root)), *lines]
        return "\n".join(parts)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""
