"""Where Detectron2's event storage is written to: its log lines, metrics.json and TensorBoard."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from detectron2.utils.events import CommonMetricPrinter, EventWriter, JSONWriter, TensorboardXWriter

from benchmark.utils.atomic_files import write_text

METRICS = "metrics.json"


def open_writers(folder: Path, *, begin: int, iterations: int) -> list[EventWriter]:
    """Detectron2's own writers; TensorBoard's where it is installed.

    What an attempt wrote that was killed after the checkpoint is dropped, so that every iteration stands there once.

    Args:
        folder: of the files.
        begin: the first iteration that is still to be done.
        iterations: all there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drop_from(folder / METRICS, begin)
    writers: list[EventWriter] = [CommonMetricPrinter(iterations), JSONWriter(str(folder / METRICS))]
    if importlib.util.find_spec("tensorboard") is not None:
        writers.append(TensorboardXWriter(str(folder), purge_step=begin))
    return writers


def drop_from(path: Path, begin: int) -> None:
    """Drop the lines of an iteration and later ones, and those that a kill or a full disk cut short, from metrics."""
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        write_text(path, "".join(f"{line}\n" for line in lines if _is_before(line, begin)))


def _is_before(line: str, begin: int) -> bool:
    try:
        return bool(json.loads(line)["iteration"] < begin)
    except (ValueError, TypeError, KeyError):
        return False
