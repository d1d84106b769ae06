"""Weights for a body of Detectron2's: fetched, matched by its own heuristics, refused where they are another body's.

Importing this loads Detectron2: import it where a body is built.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.utils.file_io import Detectron2Handler, PathManager
from torch import nn

ANSWER_SECONDS = 10.0
"""How long an address may stay silent."""

_UNREADABLE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
"""What the readers raise on bytes of another kind: unpickling noise may end anywhere."""


class _Reader(DetectionCheckpointer):  # type: ignore[misc]  # Detectron2 carries no types
    """Remembers which tensors a file left as they were: its base only logs that."""

    missing: frozenset[str] = frozenset()

    def _load_model(self, checkpoint: dict[str, Any]) -> Any:
        checkpoint["matching_heuristics"] = True  # a file's address need not say so: whole names still match first
        incompatible = super()._load_model(checkpoint)
        self.missing = frozenset(incompatible.missing_keys)
        return incompatible


def load_weights(body: nn.Module, source: str) -> None:
    """Fill what a file has of a body; the rest, such as a decoder that was not pre-trained, stays random.

    Args:
        body: with its `backbone`.
        source: file, or an address that Detectron2 knows (its own "detectron2://" among them; then kept in its cache).

    Raises:
        ValueError: the file is out of reach, is broken, or holds less than half of the backbone's parameters.
    """
    file = _fetched(source)
    reader = _Reader(body)
    try:
        reader.load(str(file))
    except _UNREADABLE as error:
        raise ValueError(f"{file} does not hold weights that Detectron2 can read ({_line(error)})") from error
    wanted = [name for name, _ in body.named_parameters() if name.startswith("backbone.")]
    found = [name for name in wanted if name not in reader.missing]
    # a file for an image classifier lacks the feature pyramid; one of another architecture may share a few names
    if 2 * len(found) < len(wanted):
        raise ValueError(
            f"{source} holds {len(found)} of the {len(wanted)} parameters of this backbone: it belongs to another one; "
            "set body.weights to a file for this config"
        )


def _fetched(source: str) -> Path:
    """Raises ValueError where a file is missing or an address does not answer."""
    address = source.partition("?")[0]  # what follows asks for the heuristics that are used anyway
    try:
        with _patience(ANSWER_SECONDS):
            file = Path(PathManager.get_local_path(address)).expanduser()
    except OSError as error:
        address = address.replace(Detectron2Handler.PREFIX, Detectron2Handler.S3_DETECTRON2_PREFIX)
        raise ValueError(
            f"cannot fetch {address} ({_line(error)}): fetch it elsewhere and give its path as body.weights, or set "
            "body.weights to null for random ones"
        ) from error
    if not file.is_file():
        raise ValueError(f"body.weights: there is no file {file}; give one, null for random weights, or leave it out")
    return file


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Give up on a silent address: Detectron2 asks it without a limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
