"""Weights for Detectron2 bodies: downloaded, matched by Detectron2's heuristics, refused if they fit another backbone.

This module imports Detectron2, so import it only in functions that build a body.
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

from benchmark.utils.input_files import record_input
from methods.blocks.weight_files import find_problem_of_file, read_tensors

RESPONSE_TIMEOUT_S = 10.0
"""Seconds without a response after which a download is given up."""

PICKLED = (".pkl", ".pyth")
"""Suffixes of the formats of the model zoos of Detectron2 and PySlowFast, which Detectron2 unpickles."""

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
"""Errors of reading a file that holds no weights: unpickling arbitrary bytes may raise any of these."""


class _RecordingCheckpointer(DetectionCheckpointer):  # type: ignore[misc]  # Detectron2 has no type annotations
    """Checkpointer that records which tensors a file lacks; the base class only logs them."""

    missing: frozenset[str] = frozenset()

    def _load_file(self, filename: str) -> Any:
        if filename.endswith(PICKLED):
            return super()._load_file(filename)
        return {"model": read_tensors(Path(filename))}

    def _load_model(self, checkpoint: dict[str, Any]) -> Any:
        checkpoint["matching_heuristics"] = (
            True  # set even if the URL does not ask for it: exact names still match first
        )
        incompatible = super()._load_model(checkpoint)
        self.missing = frozenset(incompatible.missing_keys)
        return incompatible


def load_weights(body: nn.Module, source: str) -> None:
    """Load the tensors that a file has; the others, such as a decoder that was not pre-trained, stay random.

    Args:
        body: Module with a submodule `backbone`.
        source: File, or URL that Detectron2 can read, including "detectron2://"; downloads go to Detectron2's cache.

    Raises:
        ValueError: The file cannot be fetched, is broken, or holds less than half of the backbone's parameters.
    """
    file = _fetch(source)
    problem = find_problem_of_file(file)
    if problem:
        raise ValueError(f"body.weights: {file}: {problem}")
    record_input(file)
    checkpointer = _RecordingCheckpointer(body)
    try:
        checkpointer.load(str(file))
    except _UNREADABLE as error:
        raise ValueError(f"{file} does not hold weights that Detectron2 can read ({_summarize(error)})") from error
    expected = [name for name, _ in body.named_parameters() if name.startswith("backbone.")]
    loaded = [name for name in expected if name not in checkpointer.missing]
    # a file for an image classifier lacks the feature pyramid; a file for another architecture may share a few names
    if 2 * len(loaded) < len(expected):
        raise ValueError(
            f"{source} holds {len(loaded)} of the {len(expected)} parameters of this backbone: it belongs to another "
            "backbone; set body.weights to a file for this config"
        )


def _fetch(source: str) -> Path:
    """Return a local file, downloaded if necessary; raises ValueError if the file is missing or the download fails."""
    url = source.partition("?")[0]  # the query only requests the matching heuristics, which are always used
    try:
        with _limit_socket_timeout(RESPONSE_TIMEOUT_S):
            file = Path(PathManager.get_local_path(url)).expanduser()
    except OSError as error:
        url = url.replace(Detectron2Handler.PREFIX, Detectron2Handler.S3_DETECTRON2_PREFIX)
        raise ValueError(
            f"cannot download {url} ({_summarize(error)}): download it on another machine and set body.weights to its "
            "path, or set body.weights to null for random weights"
        ) from error
    if not file.is_file():
        raise ValueError(
            f"body.weights: no such file: {file}; set it to a file, to null for random weights, or remove it"
        )
    return file


@contextmanager
def _limit_socket_timeout(seconds: float) -> Iterator[None]:
    """Limit the wait for a server; Detectron2 itself sets no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _summarize(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
