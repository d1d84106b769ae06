"""Paths of the files of one run.

spec.json         what to run
record.json       result or failure; written once, atomically
counts.npz        pixel counts per image; only of a run that is done
accepted.json     proof that changed code gives the same counts, see `benchmark.store.staleness`; only if accepted
predictions.json  files of imported label maps, with their SHA-256; only of an imported run
history.jsonl     training losses, one JSON object per line
heartbeat.json    current stage and progress
checkpoint.pt     state from which training resumes
partial/          counts of an evaluation that was interrupted, see `benchmark.engine.partial_counts`
metrics.json      output of Detectron2's writers; only under that engine
tensorboard/      and wandb/: files of trackers, see `benchmark.execution.trackers`; only if asked for
lock              process that works on the run, see `benchmark.utils.lock`
attempts/NN/      attempt.json, log.txt, and files that a later attempt has set aside
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ACCEPTANCE = "accepted.json"


@dataclass(frozen=True)
class RunPaths:
    """Paths of the files of one run.

    Attributes:
        path: Folder of the run; its name is the run's id.
    """

    path: Path

    @property
    def id(self) -> str:
        """Id of the run."""
        return self.path.name

    @property
    def spec_path(self) -> Path:
        """Path of the spec."""
        return self.path / "spec.json"

    @property
    def record_path(self) -> Path:
        """Path of the record."""
        return self.path / "record.json"

    @property
    def counts_path(self) -> Path:
        """Path of the pixel counts."""
        return self.path / "counts.npz"

    @property
    def acceptance_path(self) -> Path:
        """Path of the acceptance of a result whose code or inputs have changed since."""
        return self.path / ACCEPTANCE

    @property
    def predictions_path(self) -> Path:
        """Path of the list of files that were imported."""
        return self.path / "predictions.json"

    @property
    def history_path(self) -> Path:
        """Path of the losses."""
        return self.path / "history.jsonl"

    @property
    def heartbeat_path(self) -> Path:
        """Path of the heartbeat."""
        return self.path / "heartbeat.json"

    @property
    def checkpoint_path(self) -> Path:
        """Path of the checkpoint from which training resumes."""
        return self.path / "checkpoint.pt"

    @property
    def partial_path(self) -> Path:
        """Path of the folder for counts of an unfinished evaluation."""
        return self.path / "partial"

    @property
    def lock_path(self) -> Path:
        """Path of the lock."""
        return self.path / "lock"
