"""Progress of a run on disk: a heartbeat, which is replaced, and losses, which are appended."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.utils.atomic_files import describe_unreadable, write_text

QUIET_S = 600.0
"""Seconds without progress that are expected of any run."""
QUIET_STEPS = 50
"""Number of steps without a report that are expected of any run."""

_log = logging.getLogger(__name__)


def write_heartbeat(path: Path, progress: Mapping[str, Any]) -> None:
    """Replace a heartbeat.

    Args:
        path: File of the heartbeat. It also gets the time of the report, the process id, and `since` and
            `since_done`: the time, and the number done, at which this process first reported the current stage. All
            times are in seconds since 1970.
        progress: Stage, number done, total, and anything else to report.
    """
    now = datetime.now(UTC).timestamp()
    entry: dict[str, Any] = {**progress, "time": now, "pid": os.getpid()}
    last = read_heartbeat(path) or {}
    is_same_stage = "since" in last and all(last.get(key) == entry.get(key) for key in ("stage", "pid"))
    entry["since"] = last["since"] if is_same_stage else now
    entry["since_done"] = last["since_done"] if is_same_stage else entry.get("done", 0)
    write_text(path, json.dumps(_replace_non_finite(entry), sort_keys=True))


def read_heartbeat(path: Path) -> dict[str, Any] | None:
    """Read a heartbeat; None if the file is missing or broken."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) else None


def estimate_seconds_left(heartbeat: Mapping[str, Any]) -> float | None:
    """Estimate the remaining time of the current stage from its pace so far; None if no pace is known yet."""
    try:
        made = heartbeat["done"] - heartbeat["since_done"]
        took = heartbeat["time"] - heartbeat["since"]
        return float((heartbeat["total"] - heartbeat["done"]) * took / made) if made > 0 else None
    except (KeyError, TypeError):
        return None


def measure_silence_s(heartbeat: Mapping[str, Any]) -> float | None:
    """Return the seconds for which a run has reported no progress; None while that is within the expected.

    Expected are `QUIET_S` seconds, or `QUIET_STEPS` times the time of a step so far if that is longer.
    """
    try:
        silent_s = datetime.now(UTC).timestamp() - heartbeat["time"]
        made = heartbeat["done"] - heartbeat["since_done"]
        step_s = (heartbeat["time"] - heartbeat["since"]) / made if made > 0 else 0.0
    except (KeyError, TypeError):
        return None
    return silent_s if silent_s > max(QUIET_S, QUIET_STEPS * step_s) else None


def append_losses(path: Path, iteration: int, losses: Mapping[str, float]) -> None:
    """Append the losses of one iteration to a history, by name; NaN and infinities become null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"iteration": iteration, "losses": _replace_non_finite(losses)}, sort_keys=True)
    with path.open("ab+") as file:
        is_cut = file.tell() and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
        file.write(b"\n" * bool(is_cut) + line.encode() + b"\n")


def read_losses(path: Path) -> list[dict[str, Any]]:
    """Read a history: dicts of "iteration" and "losses", iterations ascending.

    Entries of an attempt beyond the iteration at which the next attempt resumed are left out, as are broken lines.
    """
    entries: list[dict[str, Any]] = []
    for entry in _read_json_lines(path):
        while entries and entries[-1]["iteration"] >= entry["iteration"]:
            entries.pop()
        entries.append(entry)
    return entries


def _read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("the losses are left out: %s", describe_unreadable(path, error))
        return
    for entry in _parse_lines(lines):
        if isinstance(entry, dict) and isinstance(entry.get("iteration"), int):
            yield entry


def _parse_lines(lines: Sequence[str]) -> list[object]:
    """Return the JSON values of the lines that hold one: all in one go, which is several times as fast, if all do."""
    with suppress(ValueError):
        entries = json.loads(f"[{','.join(lines)}]")
        if len(entries) == len(lines):  # else a line holds several values, or a value is spread over lines
            return list(entries)
    entries = []
    for line in lines:
        with suppress(ValueError):
            entries.append(json.loads(line))
    return entries


def _replace_non_finite(value: object) -> object:
    """Return a JSON value with null for NaN and infinities, which JSON lacks."""
    if isinstance(value, Mapping):
        return {str(key): _replace_non_finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
