"""The checkpoint file of a run: written atomically, checked when read, and valid for one run only."""

from __future__ import annotations

import hashlib
import pickle
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from benchmark.core.checkpoint_error import CheckpointError
from benchmark.core.method import Method
from benchmark.core.trainable_state import get_trainable_state
from benchmark.utils.atomic_files import open_draft

FORMAT_FAMILY = "chimera-bench checkpoint"
FORMAT = f"{FORMAT_FAMILY} 3"
"""The state is the entry "model", so that the checkpointers of Detectron2 and fvcore can read it too."""
MAX_COST_SHARE = 0.02
"""Saving by elapsed time takes at most this share of the time."""
MIN_INTERVAL_S = 30.0
"""Saving by elapsed time waits at least this long between two checkpoints."""


class Checkpoint:
    """The checkpoint file of one run.

    Args:
        path: Path of the file.
        run: Digest of the run's spec; a file of another run is refused.
        every: Iterations between two checkpoints; with 0, the elapsed time decides.
        arithmetic: What decides the last bits of this process's results, as `describe_arithmetic` words it.

    Attributes:
        earlier_seconds: Wall time of training in earlier attempts, up to the loaded checkpoint.
        continued_from: Arithmetic of earlier attempts, if it was another one than that of a later attempt.
    """

    def __init__(self, path: Path, *, run: str, every: int = 0, arithmetic: str = "") -> None:
        self.path, self.run, self.every, self.arithmetic = path, run, every, arithmetic
        self.earlier_seconds = 0.0
        self.continued_from: tuple[str, ...] = ()
        self._start_s = self._last_save_s = time.monotonic()
        self._save_cost_s = 0.0

    @property
    def seconds(self) -> float:
        """Wall time of training up to now over all attempts, without work that was lost when a process was killed."""
        return self.earlier_seconds + time.monotonic() - self._start_s

    def is_due(self, iteration: int) -> bool:
        """Return whether to save after `iteration` iterations."""
        if self.every:
            return iteration % self.every == 0
        interval_s = max(MIN_INTERVAL_S, self._save_cost_s / MAX_COST_SHARE)
        return time.monotonic() - self._last_save_s > interval_s

    def save(self, method: Method, optimizer: torch.optim.Optimizer | None, *, iteration: int) -> None:
        """Write the state after `iteration` iterations.

        Args:
            method: Method whose trainable state is saved.
            optimizer: Optimizer whose state is saved; None after the last iteration, when its state is not needed.
            iteration: Number of finished iterations.

        Raises:
            OSError: The file cannot be written; the previous file is intact.
        """
        begin_s = time.monotonic()
        content = {
            "format": FORMAT,
            "run": self.run,
            "iteration": iteration,
            "seconds": self.seconds,
            "arithmetic": self.arithmetic,
            "continued_from": list(self.continued_from),
            "model": get_trainable_state(method),
            "optimizer": optimizer.state_dict() if optimizer is not None else {},
        }
        with open_draft(self.path) as draft, draft.open("wb") as file:
            _write(content, file)
        self._last_save_s = time.monotonic()
        self._save_cost_s = self._last_save_s - begin_s

    def load(self, method: Method, optimizer: torch.optim.Optimizer | None) -> int | None:
        """Load the saved state into a method and an optimizer.

        Args:
            method: Method of the same run.
            optimizer: Optimizer of the method; None if its state is not needed.

        Returns:
            Number of finished iterations; None if the file does not exist.

        Raises:
            CheckpointError: The file is damaged, belongs to another run, or does not fit the method.
        """
        if not self.path.exists():
            return None
        content = read_checkpoint(self.path)
        if content["run"] != self.run:
            problem = "belongs to another run: move it away to start this run again"
            raise CheckpointError(f"checkpoint {self.path} {problem}")
        _load_state(method, content["model"], path=self.path)
        if optimizer is not None and content["optimizer"]:
            try:
                optimizer.load_state_dict(content["optimizer"])
            except (ValueError, KeyError) as error:
                raise CheckpointError(_describe_broken(self.path, f"its optimizer does not fit: {error}")) from error
        self.earlier_seconds = float(content["seconds"])
        self.continued_from = self._list_continued(content)
        return int(content["iteration"])

    def _list_continued(self, content: dict[str, Any]) -> tuple[str, ...]:
        """Return the arithmetic of earlier attempts, each once; empty if it was always that of this process."""
        earlier = dict.fromkeys([*content["continued_from"], content["arithmetic"]])
        return tuple(earlier) if set(earlier) != {self.arithmetic} else ()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read the content of a checkpoint file.

    Returns:
        Entries "format", "run", "iteration", "seconds", "arithmetic", "continued_from", "model" and "optimizer".

    Raises:
        CheckpointError: The file is damaged, or is not a checkpoint of this version of the package.
    """
    try:
        with zipfile.ZipFile(path) as file:
            damaged_entry = file.testzip()  # torch does not verify checksums
        if damaged_entry is not None:
            raise CheckpointError(_describe_broken(path, f"{damaged_entry} is damaged"))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise CheckpointError(_describe_broken(path, " ".join(str(error).split())[:120])) from error
    file_format = content.get("format") if isinstance(content, dict) else None
    if file_format == FORMAT:
        return dict(content)
    if str(file_format).startswith(FORMAT_FAMILY):
        raise CheckpointError(
            f"checkpoint {path} was written by an older version of chimera-bench ({file_format!r}, expected "
            f"{FORMAT!r}): move it away to start this run again"
        )
    raise CheckpointError(_describe_broken(path, f"expected the format {FORMAT!r}"))


@dataclass(frozen=True)
class Misfit:
    """An entry of a checkpoint that does not fit a method.

    Attributes:
        name: Name in the state dict.
        problem: What does not fit, such as "is in the checkpoint only".
    """

    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.name!r} {self.problem}"


def list_misfits(method: Method, state: Mapping[str, Any]) -> list[Misfit]:
    """Return the entries of a trainable state that a method lacks, or has alone or in another shape.

    Args:
        method: Method that the state would be loaded into.
        state: Parameters and buffers of any shape, by their names in the state dict.
    """
    expected = get_trainable_state(method)
    misfits = [Misfit(name, "is in the checkpoint only") for name in sorted(state.keys() - expected.keys())]
    misfits += [Misfit(name, "is not in the checkpoint") for name in sorted(expected.keys() - state.keys())]
    for name in sorted(expected.keys() & state.keys()):
        shapes = _get_shape(expected[name]), _get_shape(state[name])
        if shapes[0] != shapes[1]:
            misfits.append(Misfit(name, f"has shape {shapes[0]}, and {shapes[1]} in the checkpoint"))
    return misfits


def digest_state(method: Method) -> str:
    """Return the SHA-256 of a method's trainable state in hex."""
    digest = hashlib.sha256()
    for name, value in get_trainable_state(method).items():
        digest.update(name.encode())
        is_tensor = isinstance(value, Tensor)
        digest.update(
            value.cpu().contiguous().flatten().view(torch.uint8).numpy() if is_tensor else repr(value).encode()
        )
    return digest.hexdigest()


def _load_state(method: Method, state: dict[str, Any], *, path: Path) -> None:
    misfits = list_misfits(method, state)
    if misfits:
        raise CheckpointError(
            f"checkpoint {path} does not fit the method: {'; '.join(map(str, misfits[:3]))}. A method that creates "
            "parameters or buffers after __init__, or gives them another shape, cannot be resumed (chimera-bench test "
            "looks for it in a few iterations); if this one does not, move the file away to start this run again"
        )
    method.load_state_dict(state, strict=False)


def _get_shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _write(content: dict[str, Any], file: IO[bytes]) -> None:
    try:
        torch.save(content, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):  # torch closes its archive after the OSError, which fails again
            raise error.__context__ from None
        raise


def _describe_broken(path: Path, reason: str) -> str:
    return f"checkpoint {path} is broken ({reason}); move it away to start this run again"
