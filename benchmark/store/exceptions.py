"""Exceptions within a run as failures: one line with type, file and line of the method, and message."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import ValidationError

from benchmark.core.run_record import Failure
from benchmark.utils.external_sources import hide_private_packages
from benchmark.utils.method_names import shorten_path
from benchmark.utils.paths import ROOT
from benchmark.utils.programming_errors import reword_programming_error
from benchmark.utils.validation_errors import describe_errors

TRACEBACK_LINES = 30
"""Last lines of a traceback that a failure keeps."""
MAX_MESSAGE_LENGTH = 500

BATCH_NORM_MESSAGE = "Expected more than 1 value per channel when training"
"""Text of torch's error about one image in a layer that normalizes over a batch."""
DEVICE_MESSAGES = ("be on the same device", "not on the expected device", "type (torch.cuda")
"""Texts of torch's errors about tensors on different devices."""

TRAINING_KEYS = ("sem_seg", "unlabeled", "valid_size")
"""Keys of a sample that only training samples have."""


def explain_exception(error: BaseException, *, method_files: Collection[Path] = ()) -> Failure:
    """Describe an exception in one line, with the end of its traceback.

    Args:
        error: Exception that ended a run.
        method_files: Absolute paths of the method's own files; the deepest frame within them is named.
    """
    frames = _find_own_frames(error, method_files)
    lines = "".join(traceback.format_exception(error)).splitlines()
    return Failure(
        kind=type(error).__name__,
        place=getattr(error, "place", "") or _describe_place(frames) or _find_place_in_package(error),
        message=_describe(error, step=frames[0].name if frames else "")[:MAX_MESSAGE_LENGTH],
        log_tail="\n".join(lines[-TRACEBACK_LINES:]),
    )


def locate_exception(error: BaseException, files: Collection[Path]) -> str:
    """Return file and line of the deepest frame within files, and the first of their functions; empty if none."""
    return _describe_place(_find_own_frames(error, files))


def _find_own_frames(error: BaseException, files: Collection[Path]) -> list[traceback.FrameSummary]:
    """Return the frames of an exception, or else of its cause, within files, outermost first."""
    names = {str(path) for path in files}
    for cause in _list_causes(error):
        frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if _resolve(frame) in names]
        if frames:
            return frames
    return []


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _resolve(frame: traceback.FrameSummary) -> str:
    return str(Path(frame.filename).resolve())


def _describe_place(frames: list[traceback.FrameSummary]) -> str:
    if not frames:
        return ""
    step = "import" if frames[0].name == "<module>" else frames[0].name
    return f"{shorten_path(frames[-1].filename)}:{frames[-1].lineno} ({step})"


def _find_place_in_package(error: BaseException) -> str:
    """Return our deepest frame unless a `raise` of ours or the file system says what is wrong."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT)]
    if not ours or isinstance(error, OSError):
        return ""
    is_explained = ours[-1] is frames[-1] and (frames[-1].line or "").startswith("raise ")
    return "" if is_explained else _describe_place(ours[-1:])


def _describe(error: BaseException, *, step: str) -> str:
    """Return the message of an exception in one line.

    Args:
        error: Exception.
        step: Function of the method that raised it; empty if none did.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {error.strerror}; free some space, then `retry` it"
    if isinstance(error, KeyError) and error.args:
        return _describe_missing_key(error.args[0], step=step)
    message = describe_errors(error) if isinstance(error, ValidationError) else _reword(error)
    if not message:
        return _describe_silent_error(error)
    if BATCH_NORM_MESSAGE in message:
        return f"{message}; set budget.batch_size to at least 2 times budget.micro_batches"
    if any(text in message for text in DEVICE_MESSAGES):
        message += "; hold tensors as parameters or buffers (register_buffer), or create them on the images' device"
    return message


def _reword(error: BaseException) -> str:
    """Return the message of an exception in words of ours if there are any, with the names of modules as imported."""
    return " ".join(hide_private_packages(reword_programming_error(error) or str(error)).split())


def _describe_missing_key(key: object, *, step: str) -> str:
    if " " in str(key):
        return " ".join(str(key).split())
    hint = f"; samples have no {key!r} in {step}, only in losses" if step == "predict" and key in TRAINING_KEYS else ""
    return f"missing key {key!r}{hint}"


def _describe_silent_error(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    line = " ".join((frames[-1].line or "").split()) if frames else ""
    return f"no message; raised by: {line}" if line else "no message; see the log"
