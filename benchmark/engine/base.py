"""What every engine does, whatever it is built on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from benchmark.core.budget import Budget
from benchmark.core.method import Method
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.evaluation.counts import Counts

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """What an engine reports while it works.

    Attributes:
        stage: "train" or "evaluate".
        done, total: iterations or images.
        losses: latest scalar losses by name; empty in evaluation.
        learning_rate: of the latest step; 0 in evaluation.
    """

    stage: str
    done: int
    total: int
    losses: dict[str, float]
    learning_rate: float = 0.0


Observer = Callable[[Progress], None]


class Engine(Protocol):
    """Trains and evaluates a method, alone or as one of the processes that work on a run together."""

    name: str

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes what comes of the run."""

    def agree(self, work: Callable[[], T]) -> T:
        """Do something in every process of the run; where it fails in one, it fails in all."""

    def fit(
        self, method: Method, data: TrainLoader, *, budget: Budget, seed: int, checkpoint: Path, observe: Observer
    ) -> None:
        """Train in place, from the checkpoint where there is a whole one, and leave a final checkpoint."""

    def evaluate(
        self,
        method: Method,
        data: EvalLoader,
        *,
        classes: Sequence[str],
        seen: Sequence[bool],
        gamma: float,
        observe: Observer,
    ) -> Counts:
        """Count every labelled pixel once."""
