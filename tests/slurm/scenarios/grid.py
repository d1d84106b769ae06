"""The words of the scenarios: a small grid on a real cluster, whose runs crawl until they are told to rush."""

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
from typing import Any, NamedTuple

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from slurm.requests.manifest import locate_runs
from slurm.testing import Cluster
from slurm.testing.cluster import daemons, processes
from tests.cli.shell import CommandResult, run_command

ROOT = Path(__file__).resolve().parents[3]
CRAWLER = "tests/slurm/scenarios/crawler.py"
EVERY, NEVER = 10, 10_000
"""Iterations between two checkpoints."""
DEFAULTS = {
    "executor": "slurm",
    "cpus_per_task": 1,
    "mem_gb": 0.5,
    "timeout_min": 30,
    "signal_delay_s": 60,
    "checkpoint_every": EVERY,
}

Reference = Callable[[Store, str], str]
"""Gives the counts digest of a run that nothing disturbs."""


class Try(NamedTuple):
    """One attempt at a run: which start of its job made it, counted from 1, and whether it began from a checkpoint."""

    start: int
    is_resumed: bool


@dataclass(frozen=True)
class Grid:
    """A study called "grid" in a store of its own, one row a label.

    Attributes:
        cluster: where it is sent to.
        root: the folder of everything.
        capsys: what commands print is read from here.
        reference: what runs ought to come to.
    """

    cluster: Cluster
    root: Path
    capsys: pytest.CaptureFixture[str]
    reference: Reference

    @property
    def store(self) -> Store:
        """Where the runs are kept."""
        return Store(self.root / "runs")

    @property
    def ids(self) -> tuple[str, ...]:
        """Every run, label by label."""
        return self.store.read_plan("grid").ids

    @property
    def run(self) -> str:
        """The first run."""
        return self.ids[0]

    @property
    def _study(self) -> Path:
        return self.root / "grid.yaml"

    @property
    def _profile(self) -> Path:
        return self.root / "here.yaml"

    @property
    def orders(self) -> Path:
        """Where runs look for what to do."""
        return self.root / "orders"

    # What a researcher does

    def describe(
        self, *labels: str, seeds: int = 1, changes: dict[str, int] | None = None, held: bool = False, **settings: Any
    ) -> None:
        """Write and plan the study, and write the profile of the cluster.

        Args:
            labels: of the rows; one where there is none.
            seeds: how many.
            changes: dotted overrides.
            held: jobs wait until they are released.
            settings: of the profile.
        """
        rows = [{"method": CRAWLER, "set": {"label": label}} for label in labels or ("run",)]
        study = {"title": "Grid", "split": "toybox", "rows": rows, "seeds": [*range(seeds)], "max_images": 5}
        options = {"additional_parameters": {"hold": True}} if held else {}
        self._study.write_text(json.dumps(study | {"set": changes or {}}))
        self._profile.write_text(json.dumps(DEFAULTS | options | settings))
        assert self.run_command("plan", str(self._study)).code == 0

    def run_command(self, verb: str, *arguments: str) -> CommandResult:
        """Give a command."""
        return run_command(self.capsys, "--runs", str(self.store.root), verb, *arguments)

    def submit(self, *arguments: str) -> CommandResult:
        """Send what is open."""
        return self.run_command("submit", str(self._study), "--cluster", str(self._profile), *arguments)

    def retry(self) -> CommandResult:
        """Send what failed."""
        return self.run_command("retry", "grid", "--cluster", str(self._profile))

    def start(self, *labels: str, **fields: Any) -> str:
        """Submit, and wait until every run has saved something, or trains where it never saves; gives the first run."""
        self.describe(*labels, **fields)
        result = self.submit()
        assert result.code == 0, result.err
        for run_id in self.ids:
            if fields.get("checkpoint_every") == NEVER:
                self.wait_training(run_id)
            else:
                self.wait_saved(run_id)
        return self.run

    def standing(self, run_id: str) -> str:
        """Where `status` says a run stands."""
        return self.standings()[self.ids.index(run_id)]

    def standings(self) -> list[str]:
        """Where `status` says every run stands, in the order of the plan."""
        return [str(entry["state"]) for entry in json.loads(self.run_command("status", "grid", "--json").out)]

    def submitter(self, *, path: str = os.environ["PATH"]) -> subprocess.Popen[str]:
        """Begin to submit in a process of its own."""
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
        assert self.submitter(path=f"{program.parent}:{os.environ['PATH']}").wait() == -signal.SIGKILL

    def queue(self) -> list[str]:
        """What is in the scheduler's queue: every element of an array by its number."""
        return self.cluster.call("squeue", "--noheader", "--array", "--format=%i").split()

    # What happens to runs

    def preempt(self, run_id: str) -> None:
        """Have a job of more importance take a run's node for three seconds."""
        where = ("--partition=main", f"--nodelist={self.node(run_id)}", "--exclusive")
        self.cluster.call("sbatch", *where, "--output=/dev/null", "--wrap=sleep 3")

    def kill(self, run_id: str, *called: str) -> None:
        """Kill processes of a run's job by what their command lines contain."""
        doomed = [pid for text in called for pid in self.processes(run_id, called=text)]
        assert doomed, called
        processes.kill(doomed)

    def kill_step_daemon(self, run_id: str, step: str) -> None:
        """Kill the daemon of the batch script ("batch") or of what it started ("0")."""
        title = f"slurmstepd: [{self.job(run_id)['JobId']}.{step}]"
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        processes.kill(pid for pid in pids if _command_line(pid).startswith(title))

    @contextmanager
    def without_munge(self) -> Iterator[None]:
        """Nobody may ask the scheduler anything meanwhile."""
        daemons.stop(self.cluster.paths, "munged")
        try:
            yield
        finally:
            daemons.start_munge(self.cluster.paths)

    @contextmanager
    def limited(self, jobs: int) -> Iterator[None]:
        """The user may have so many jobs at a time meanwhile."""
        self.cluster.limit_jobs(jobs)
        try:
            yield
        finally:
            self.cluster.limit_jobs(None)

    @contextmanager
    def small_disk(self, megabytes: int) -> Iterator[None]:
        """The store lies on a disk of this size; skips the test where none can be mounted."""
        self.store.root.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(self.store.root)]
        if subprocess.run(["mount", *options], capture_output=True).returncode:
            pytest.skip("only root may mount a disk")
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(self.store.root)], check=True)

    def enlarge_disk(self, megabytes: int) -> None:
        """Make room."""
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(self.store.root)], check=True)

    def order(self, word: str, *labels: str) -> None:
        """Tell runs what to do while they train; all of them where none is named."""
        for label in labels or ("all",):
            (self.orders / label).write_text(word)

    def target(self, run_id: str) -> str:
        """The element of an array that a run was last sent to, as SLURM's commands take it."""
        target = locate_runs(self.store)[run_id].target
        assert target is not None
        return f"{target[0]}_{target[1]}"

    def job(self, run_id: str) -> dict[str, str]:
        """What the controller says of that element."""
        text = self.cluster.call("scontrol", "--oneliner", "show", "job", self.target(run_id))
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def node(self, run_id: str) -> str:
        """Where the latest attempt at a run was begun."""
        job = self.store.run(run_id).read_attempts()[-1].owner.job
        assert job is not None
        return job.node

    def worker(self, run_id: str) -> int:
        """The process that works on a run."""
        return self.store.run(run_id).read_attempts()[-1].owner.pid

    def processes(self, run_id: str, *, called: str) -> list[int]:
        """Processes of a run's job whose command line contains a text."""
        return [pid for pid in self.cluster.processes_of_job(self.target(run_id)) if called in _command_line(pid)]

    # What comes of them

    def tries(self, run_id: str) -> list[Try]:
        """Every attempt at a run."""
        attempts = self.store.run(run_id).read_attempts()
        return [Try(one.owner.job.restart + 1, bool(one.checkpoint)) for one in attempts if one.owner.job]

    def failure(self, run_id: str) -> Failure:
        """Why a run failed."""
        failure = self.store.run(run_id).read_record().failure
        assert failure is not None
        return failure

    def wait(self, holds: Callable[[], bool], *, what: str, timeout_s: float = 90) -> None:
        """Until something holds; where it does not in time, the test fails and tells what there is to see."""
        if not processes.wait_until(holds, timeout_s=timeout_s):
            pytest.fail(f"not within {timeout_s:g} seconds: {what}\n{self._story()}")

    def wait_saved(self, run_id: str) -> None:
        """Until a run has saved what it did."""
        self.wait(self.store.run(run_id).checkpoint_path.exists, what=f"{run_id} saves")

    def wait_training(self, run_id: str, *, attempt: int = 1) -> None:
        """Until an attempt at a run trains."""

        def trains() -> bool:
            beat, attempts = self.store.run(run_id).read_heartbeat(), self.store.run(run_id).read_attempts()
            is_there = beat is not None and len(attempts) == attempt and beat["pid"] == attempts[-1].owner.pid
            return is_there and beat["stage"] == "train"

        self.wait(trains, what=f"attempt {attempt} at {run_id} trains")

    def wait_attempt(self, number: int, run_id: str, *, timeout_s: float = 90) -> None:
        """Until so many attempts at a run have begun."""
        began = lambda: len(self.store.run(run_id).read_attempts()) >= number  # noqa: E731
        self.wait(began, what=f"attempt {number} at {run_id} begins", timeout_s=timeout_s)

    def wait_state(self, state: str, *ids: str, timeout_s: float = 90) -> None:
        """Until the files of runs, all where none is named, say so."""
        wanted = ids or self.ids
        holds = lambda: {self.store.run(run_id).read_state() for run_id in wanted} == {state}  # noqa: E731
        self.wait(holds, what=f"{state}: {', '.join(wanted)}", timeout_s=timeout_s)

    def wait_standing(self, state: str, run_id: str, *, timeout_s: float = 60) -> None:
        """Until `status` says so of a run."""
        self.wait(lambda: self.standing(run_id) == state, what=f"{run_id} is {state}", timeout_s=timeout_s)

    def wait_ended(self, *, timeout_s: float = 90) -> None:
        """Until every run has a record."""
        holds = lambda: all(self.store.run(run_id).read_snapshot().record is not None for run_id in self.ids)  # noqa: E731
        self.wait(holds, what="every run has ended", timeout_s=timeout_s)

    def wait_empty(self, *, timeout_s: float = 60) -> None:
        """Until the scheduler's queue is empty."""
        self.wait(lambda: self.queue() == [], what="an empty queue", timeout_s=timeout_s)

    def wait_job(self, state: str, run_id: str, *, timeout_s: float = 60) -> None:
        """Until the controller says so of a run's job."""
        self.wait(lambda: self.job(run_id)["JobState"] == state, what=f"job {state}: {run_id}", timeout_s=timeout_s)

    def finish(self, *ids: str, timeout_s: float = 90) -> None:
        """Let runs rush to their end, all where none is named; they come to what they come to undisturbed."""
        wanted = ids or self.ids
        self.order("rush", *(str(self.store.run(run_id).read_spec().config["label"]) for run_id in wanted))
        self.wait_state(RunState.DONE, *wanted, timeout_s=timeout_s)
        for run_id in wanted:
            assert self.store.run(run_id).read_record().counts_digest == self.reference(self.store, run_id), self._story()
            assert self.store.run(run_id).read_counts() is not None

    def _story(self) -> str:
        """What there is to see, for whoever looks into a failed test."""
        parts = [self.cluster.call("squeue", "--all") if self.cluster.is_running else "no controller"]
        parts += [f"{run_id}: {self.store.run(run_id).read_state()}, {self.tries(run_id)}" for run_id in self.ids]
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
