"""Detectron2's checkpointer over the one file of a run."""

from __future__ import annotations

from typing import Any

import torch
from detectron2.checkpoint import DetectionCheckpointer

from benchmark.core.method import Method
from benchmark.engine.checkpoint import Checkpoint


class RunCheckpointer(DetectionCheckpointer):  # type: ignore[misc]  # it has no types
    """Saves and loads what `Checkpoint` does: whole or not at all, strict, without frozen parts.

    Its parent writes straight to the file's final name and only logs names and shapes that do not fit. No random state
    is kept, as every draw has an address of its own.

    Args:
        method: whose state it is.
        file: where it lies.
        optimizer: saved beside it; None where nothing is trained.
    """

    def __init__(self, method: Method, file: Checkpoint, optimizer: torch.optim.Optimizer | None) -> None:
        super().__init__(method, str(file.path.parent))
        self.file, self._optimizer = file, optimizer

    def has_checkpoint(self) -> bool:
        """Whether there is a file to go on from."""
        return self.file.path.exists()

    def get_checkpoint_file(self) -> str:
        """The file; there is only one, and the latest state in it."""
        return str(self.file.path)

    def save(self, name: str, **extra: Any) -> None:
        """Write the state after `extra["iteration"]` iterations over the one before; the name is the file's own.

        Raises:
            OSError: it cannot be written; the file before it is intact then.
        """
        self.file.save(self.model, self._optimizer, iteration=extra["iteration"])

    def load(self, path: str, checkpointables: list[str] | None = None) -> dict[str, Any]:
        """Put the state in place; "iteration" says how many are done, and is missing where there is no file.

        Raises:
            ValueError: the file is damaged, of another run, or does not fit the method.
        """
        return {"iteration": self.file.load(self.model, self._optimizer)} if path else {}
