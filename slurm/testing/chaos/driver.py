"""A study on a cluster to which one thing after another happens, and somebody who submits it until it is done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from subprocess import TimeoutExpired

from benchmark.store.store import Store
from slurm.testing.chaos.faults import DISTURBANCES, OPENING
from slurm.testing.chaos.targets import NobodyThere, Scene
from slurm.testing.cluster.programs import ClusterError

TURN_S = 15.0
"""Seconds between two commands of the researcher, and between two looks of the administrator."""

TICK_S = 0.5
ENDED = ("done", "failed", "broken")


@dataclass
class Storm:
    """What is still to happen to the runs of a study, and what has.

    Attributes:
        scene: to which it happens.
        ids: of the runs.
        plan: names of disturbances, the next one first.
        pace_s: seconds between two of them, on average.
        tell: is given a line on everything that happens.
        happened: how often, by name.
    """

    scene: Scene
    ids: Sequence[str]
    plan: list[str]
    pace_s: float
    tell: Callable[[str], None]
    happened: Counter[str] = field(default_factory=Counter)

    def rage(self, *, until: float) -> None:
        """Go on until every run has an end, or until a time on the monotonic clock."""
        self._disturb([OPENING])
        study = self.scene.study.stem
        commands = cycle([self.scene.submitting, ("status", study), self.scene.submitting, ("collect", study)])
        turn, calm = 0.0, self._later(self.pace_s)
        while time.monotonic() < until and self._are_open():
            if time.monotonic() >= turn:
                self._mend()
                self._type(*next(commands))
                turn = self._later(TURN_S)
            if time.monotonic() >= calm:
                self._disturb(self.plan)
                calm = self._later(self.pace_s * self.scene.chance.uniform(0.5, 1.5))
            time.sleep(TICK_S)
        self._type("collect", study)

    def _are_open(self) -> bool:
        store = Store(self.scene.desk.store)
        return any(store.state(run_id) not in ENDED for run_id in self.ids)

    def _disturb(self, plan: Sequence[str]) -> None:
        """The first of these that is possible now."""
        for name in dict.fromkeys(plan):
            try:
                what = DISTURBANCES[name](self.scene)
            except NobodyThere:
                continue
            except (ClusterError, TimeoutExpired) as error:
                self.tell(f"not possible at present: {name}: {_line(error)}")
                continue
            if name in self.plan:
                self.plan.remove(name)
            self.happened[name] += 1
            self.tell(f"{name}: {what}")
            return

    def _mend(self) -> None:
        try:
            for what in self.scene.mend():
                self.happened[what] += 1
                self.tell(what)
        except ClusterError as error:
            self.tell(f"not mended: {_line(error)}")

    def _type(self, *words: str) -> None:
        try:
            said = self.scene.desk.call(*words)
        except TimeoutExpired as error:
            self._complain(words[0], _line(error))
            return
        self.happened[f"{words[0]} typed"] += 1
        if said.code:
            self._complain(words[0], f"{said.code}, {said.last_words}")
        if "Traceback" in said.complaint:
            self.tell(said.complaint)

    def _complain(self, command: str, why: str) -> None:
        self.happened[f"{command} that ended with an error"] += 1
        self.tell(f"{command} ended with {why}")

    def _later(self, seconds: float) -> float:
        return time.monotonic() + seconds


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
