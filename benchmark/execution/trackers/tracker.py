"""What a tracker is, and which there are."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.run_folder import RunFolder
from benchmark.utils.did_you_mean import explain_unknown_name

TRACK_VARIABLE = "CHIMERA_BENCH_TRACK"
"""Environment variable with the names of the trackers of runs, separated by commas; jobs on a cluster get it too."""


class Tracker(Protocol):
    """Receiver of the values of one attempt at a run."""

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        """Log values by name, such as "loss/pixel_text" and "learning_rate"."""

    def finish(self, state: RunState, scores: Mapping[str, float], *, iterations: int) -> None:
        """Log the scores by name, which are empty without a result, and close.

        Args:
            state: DONE, FAILED or INTERRUPTED.
            scores: Scores in percent.
            iterations: Number of iterations of the run.
        """


@dataclass(frozen=True)
class TrackerKind:
    """A kind of tracker.

    Attributes:
        location: Module and class, which takes a `RunFolder` and a `RunSpec`.
        package: Package that it needs.
        extra: Extra of this distribution that installs the package.
    """

    location: str
    package: str
    extra: str

    @property
    def is_installed(self) -> bool:
        """Whether the package that it needs is installed."""
        return importlib.util.find_spec(self.package) is not None

    def open(self, run: RunFolder, spec: RunSpec) -> Tracker:
        """Open a tracker for an attempt at a run."""
        module, _, name = self.location.partition(":")
        tracker: Tracker = getattr(importlib.import_module(module), name)(run, spec)
        return tracker


_ROOM = "benchmark.execution.trackers"
KINDS = {
    "tensorboard": TrackerKind(f"{_ROOM}.tensorboard_tracker:TensorBoardTracker", "tensorboard", "tensorboard"),
    "wandb": TrackerKind(f"{_ROOM}.wandb_tracker:WandbTracker", "wandb", "wandb"),
    "mlflow": TrackerKind(f"{_ROOM}.mlflow_tracker:MlflowTracker", "mlflow", "mlflow"),
}
"""Trackers by name."""


def parse_names(text: str) -> tuple[str, ...]:
    """Return the names in a text such as "tensorboard,wandb", each once.

    Raises:
        ValueError: A name is unknown; the message names the nearest.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in KINDS:
            raise ValueError(explain_unknown_name("tracker", name, KINDS))
    return names


def list_missing(names: Sequence[str]) -> list[str]:
    """Return one line for each tracker whose package is not installed."""
    return [
        f"tracker {name} is not installed, runs go on without it: pip install 'chimera-bench[{KINDS[name].extra}]'"
        for name in names
        if not KINDS[name].is_installed
    ]
