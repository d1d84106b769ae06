"""Where training goes on after an interruption: one file, always whole, that fits one run only."""

from __future__ import annotations

import hashlib
import pickle
import time
import zipfile
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

from benchmark.core.method import Method
from benchmark.utils.atomic_files import draft_of

FORMAT = "chimera-bench checkpoint 2"
"""The state lies under "model", so that Detectron2's checkpointer and fvcore's can read it too."""
OLDER = "chimera-bench checkpoint 1"
"""The same but for that name."""
COST_SHARE = 0.02
"""Saving by the clock takes at most this share of the time."""
LEAST_INTERVAL_S = 30.0


class Checkpoint:
    """The checkpoint file of one run.

    Args:
        path: the file.
        run: digest of the spec; a file of another run is refused.
        every: iterations between two saves; 0 lets the clock decide.
    """

    def __init__(self, path: Path, *, run: str, every: int = 0) -> None:
        self.path, self.run, self.every = path, run, every
        self._begun = self._saved = time.monotonic()
        self._seconds_before = 0.0
        self._save_cost = 0.0

    @property
    def seconds(self) -> float:
        """Wall time of training up to now, over all attempts, less what was lost with a killed one."""
        return self._seconds_before + time.monotonic() - self._begun

    def is_due(self, iteration: int) -> bool:
        """Whether to save once `iteration` iterations are done."""
        if self.every:
            return iteration % self.every == 0
        return time.monotonic() - self._saved > max(LEAST_INTERVAL_S, self._save_cost / COST_SHARE)

    def save(self, method: Method, optimizer: torch.optim.Optimizer | None, *, iteration: int) -> None:
        """Write the state after `iteration` iterations; after the last one, no optimizer is needed.

        Raises:
            OSError: it cannot be written; the file before it is intact then.
        """
        begun = time.monotonic()
        content = {
            "format": FORMAT,
            "run": self.run,
            "iteration": iteration,
            "seconds": self.seconds,
            "model": trainable_state(method),
            "optimizer": optimizer.state_dict() if optimizer is not None else {},
        }
        with draft_of(self.path) as draft, draft.open("wb") as file:
            _write(content, file)
        self._saved = time.monotonic()
        self._save_cost = self._saved - begun

    def load(self, method: Method, optimizer: torch.optim.Optimizer | None) -> int | None:
        """Put the saved state in place; returns the iterations done, or None where there is no file.

        Raises:
            ValueError: the file is damaged, of another run, or does not fit the method.
        """
        if not self.path.exists():
            return None
        content = read(self.path)
        if content["run"] != self.run:
            raise ValueError(f"checkpoint {self.path} is of another run: move it away to start this run again")
        _put(method, content["model"], path=self.path)
        if optimizer is not None and content["optimizer"]:
            try:
                optimizer.load_state_dict(content["optimizer"])
            except (ValueError, KeyError) as error:
                raise ValueError(_broken(self.path, f"its optimizer does not fit: {error}")) from error
        self._seconds_before = float(content["seconds"])
        return int(content["iteration"])


def _write(content: dict[str, Any], file: IO[bytes]) -> None:
    try:
        torch.save(content, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):  # torch closes its archive all the same, and complains of that
            raise error.__context__ from None
        raise


def read(path: Path) -> dict[str, Any]:
    """A checkpoint's content: "run", "iteration", "seconds", "model", "optimizer".

    Raises:
        ValueError: it is not a whole checkpoint of this package.
    """
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()  # ours, as torch reads on over flipped bits
        if damaged is not None:
            raise ValueError(_broken(path, f"{damaged} is damaged"))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(_broken(path, " ".join(str(error).split())[:120])) from error
    if isinstance(content, dict) and content.get("format") == OLDER:
        content |= {"format": FORMAT, "model": content.pop("state")}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(_broken(path, f"expected the format {FORMAT!r}"))
    return content


def trainable_state(method: Method) -> dict[str, Any]:
    """What training can change: the method's state without its frozen parts.

    Left out are frozen parameters, and the persistent buffers of modules whose parameters are all frozen. A `Method`
    always keeps its own buffers, and so does a module without parameters (a memory bank, running statistics).
    """
    parameters = method.named_parameters(remove_duplicate=False)
    modules = method.named_modules(remove_duplicate=False)
    frozen_names = {name for name, parameter in parameters if not parameter.requires_grad}
    folders = tuple(f"{name}." for name, module in modules if _is_frozen(module))
    return {
        name: value
        for name, value in method.state_dict().items()
        if name not in frozen_names and not name.startswith(folders)
    }


def state_digest(method: Method) -> str:
    """SHA-256 of what training can change, in hex."""
    digest = hashlib.sha256()
    for name, value in trainable_state(method).items():
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _is_frozen(module: nn.Module) -> bool:
    if any(isinstance(inner, Method) for inner in module.modules()):
        return False
    parameters = list(module.parameters())
    return bool(parameters) and not any(one.requires_grad for one in parameters)


def _put(method: Method, state: dict[str, Any], *, path: Path) -> None:
    expected = trainable_state(method)
    strays = sorted(expected.keys() ^ state.keys())
    strays += [name for name in expected.keys() & state.keys() if _shape(expected[name]) != _shape(state[name])]
    if strays:
        raise ValueError(_broken(path, f"it does not fit the method: {', '.join(strays[:3])}"))
    method.load_state_dict(state, strict=False)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _broken(path: Path, reason: str) -> str:
    return f"checkpoint {path} is broken ({reason}); move it away to start this run again"
