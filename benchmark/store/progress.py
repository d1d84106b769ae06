"""What a run says of itself while it works: a heartbeat, which is replaced, and losses, which are appended."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.utils.atomic_files import write_text


def write_heartbeat(folder: Path, progress: Mapping[str, Any]) -> None:
    """Replace the heartbeat in a run's folder.

    Kept beside what is given: `time` of the report, `pid`, and `since` and `since_done`: when, and at how many of the
    `total`, this process reported the present stage for the first time. All times in seconds since 1970.
    """
    now = datetime.now(UTC).timestamp()
    entry: dict[str, Any] = {**progress, "time": now, "pid": os.getpid()}
    last = read_heartbeat(folder) or {}
    goes_on = "since" in last and all(last.get(key) == entry.get(key) for key in ("stage", "pid"))
    entry["since"] = last["since"] if goes_on else now
    entry["since_done"] = last["since_done"] if goes_on else entry.get("done", 0)
    write_text(folder / "heartbeat.json", json.dumps(_finite(entry), sort_keys=True))


def read_heartbeat(folder: Path) -> dict[str, Any] | None:
    """The heartbeat in a run's folder; None where there is none that can be read."""
    try:
        entry = json.loads((folder / "heartbeat.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) else None


def seconds_left(heartbeat: Mapping[str, Any]) -> float | None:
    """How long the present stage will take at the pace it had so far; None where nothing can be said yet."""
    try:
        made = heartbeat["done"] - heartbeat["since_done"]
        took = heartbeat["time"] - heartbeat["since"]
        return float((heartbeat["total"] - heartbeat["done"]) * took / made) if made > 0 else None
    except (KeyError, TypeError):
        return None


def append_losses(folder: Path, iteration: int, losses: Mapping[str, float]) -> None:
    """Append one report of the losses by name; nan and infinite ones are written as null."""
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"iteration": iteration, "losses": _finite(losses)}, sort_keys=True)
    with (folder / "history.jsonl").open("ab+") as file:
        is_cut = file.tell() and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
        file.write(b"\n" * bool(is_cut) + line.encode() + b"\n")


def read_losses(folder: Path) -> list[dict[str, Any]]:
    """The losses of a run: dicts of "iteration" and "losses", iterations ascending.

    What an attempt reported beyond the point where the next one resumed is superseded by the latter; a line that was
    cut short is left out.
    """
    kept: list[dict[str, Any]] = []
    for entry in _json_lines(folder / "history.jsonl"):
        while kept and kept[-1]["iteration"] >= entry["iteration"]:
            kept.pop()
        kept.append(entry)
    return kept


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("iteration"), int):
            yield entry


def _finite(value: object) -> object:
    """JSON knows no nan and no infinity: they become null."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
