"""Driver of the chaos experiment: injects faults into a study on a cluster and submits the study until it is done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from subprocess import TimeoutExpired

from benchmark.store.store import Store
from slurm.testing.chaos.faults import FAULTS, FIRST_FAULT
from slurm.testing.chaos.targets import ClusterTargets, NoTargetError
from slurm.testing.cluster.programs import ClusterError

COMMAND_INTERVAL_S = 15.0
"""Seconds between two commands of the user, and between two repairs by the administrator."""

POLL_S = 0.5


@dataclass
class ChaosDriver:
    """Driver of a study under faults.

    Attributes:
        targets: Cluster and study that faults hit.
        ids: Ids of the runs.
        planned_faults: Names of the faults to inject, in order.
        mean_interval_s: Average seconds between two faults.
        log: Function that is called with one line per event.
        event_counts: Number of occurrences by event.
    """

    targets: ClusterTargets
    ids: Sequence[str]
    planned_faults: list[str]
    mean_interval_s: float
    log: Callable[[str], None]
    event_counts: Counter[str] = field(default_factory=Counter)

    def run(self, *, deadline_s: float) -> None:
        """Inject faults and run commands until all runs have ended.

        Args:
            deadline_s: Time on the monotonic clock at which to stop regardless.
        """
        self._inject_first_possible([FIRST_FAULT])
        study, submit = self.targets.study.stem, self.targets.submit_command
        commands = cycle([submit, ("status", study), submit, ("collect", study)])
        next_command_s, next_fault_s = 0.0, time.monotonic() + self.mean_interval_s
        while time.monotonic() < deadline_s and self._has_open_runs():
            if time.monotonic() >= next_command_s:
                self._repair()
                self._run_command(*next(commands))
                next_command_s = time.monotonic() + COMMAND_INTERVAL_S
            if time.monotonic() >= next_fault_s:
                self._inject_first_possible(self.planned_faults)
                next_fault_s = time.monotonic() + self.mean_interval_s * self.targets.rng.uniform(0.5, 1.5)
            time.sleep(POLL_S)
        self._run_command("collect", study)

    def _has_open_runs(self) -> bool:
        store = Store(self.targets.runner.store)
        return any(not store.run(run_id).read_state().is_final for run_id in self.ids)

    def _inject_first_possible(self, faults: Sequence[str]) -> None:
        """Inject the first of these faults that is currently possible."""
        for name in dict.fromkeys(faults):
            try:
                target = FAULTS[name](self.targets)
            except NoTargetError:
                continue
            except (ClusterError, TimeoutExpired) as error:
                self.log(f"currently not possible: {name}: {_shorten(error)}")
                continue
            if name in self.planned_faults:
                self.planned_faults.remove(name)
            self.event_counts[name] += 1
            self.log(f"{name}: {target}")
            return

    def _repair(self) -> None:
        try:
            for event in self.targets.repair():
                self.event_counts[event] += 1
                self.log(event)
        except ClusterError as error:
            self.log(f"repair failed: {_shorten(error)}")

    def _run_command(self, *arguments: str) -> None:
        try:
            output = self.targets.runner.run(*arguments)
        except TimeoutExpired as error:
            self._log_command_error(arguments[0], _shorten(error))
            return
        self.event_counts[f"{arguments[0]} run"] += 1
        if output.exit_code:
            self._log_command_error(arguments[0], f"{output.exit_code}: {output.last_line}")
        if "Traceback" in output.stderr:
            self.log(output.stderr)

    def _log_command_error(self, command: str, reason: str) -> None:
        self.event_counts[f"{command} failed"] += 1
        self.log(f"{command} exited with {reason}")


def _shorten(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
