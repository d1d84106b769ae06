"""Detectron2's checkpointer interface for the checkpoint file of a run."""

from __future__ import annotations

from typing import Any

import torch
from detectron2.checkpoint import DetectionCheckpointer

from benchmark.core.method import Method
from benchmark.engine.checkpoint import Checkpoint


class RunCheckpointer(DetectionCheckpointer):  # type: ignore[misc]  # it has no types
    """Saves and loads the file of a `Checkpoint`: atomically, strictly, without frozen parts.

    The base class writes directly to the final name, and only logs names and shapes that do not fit. Random states are
    not saved, as every draw has its own key.

    Args:
        method: Method whose state is saved.
        file: Checkpoint file of the run.
        optimizer: Optimizer whose state is saved with the method; None if nothing is trained.
    """

    def __init__(self, method: Method, file: Checkpoint, optimizer: torch.optim.Optimizer | None) -> None:
        super().__init__(method, str(file.path.parent))
        self.file, self._optimizer = file, optimizer

    def has_checkpoint(self) -> bool:
        """Return whether the file exists."""
        return self.file.path.exists()

    def get_checkpoint_file(self) -> str:
        """Return the path of the file, which always holds the latest state."""
        return str(self.file.path)

    def save(self, name: str, **extra: Any) -> None:
        """Overwrite the file with the state after `extra["iteration"]` iterations.

        Args:
            name: Ignored; the file keeps its name.
            **extra: "iteration", the number of finished iterations.

        Raises:
            OSError: The file cannot be written; the previous file is intact.
        """
        self.file.save(self.model, self._optimizer, iteration=extra["iteration"])

    def load(self, path: str, checkpointables: list[str] | None = None) -> dict[str, Any]:
        """Load the state into method and optimizer.

        Args:
            path: Path of the file; empty if there is no checkpoint.
            checkpointables: Ignored; method and optimizer are always loaded.

        Returns:
            "iteration", the number of finished iterations; an empty dict if there is no checkpoint.

        Raises:
            CheckpointError: The file is damaged, belongs to another run, or does not fit the method.
        """
        return {"iteration": self.file.load(self.model, self._optimizer)} if path else {}
