"""Writers of Detectron2's event storage: log lines and metrics.json."""

from __future__ import annotations

import json
from pathlib import Path

from detectron2.utils.events import CommonMetricPrinter, EventWriter, JSONWriter

from benchmark.utils.atomic_files import write_text

METRICS = "metrics.json"


def open_writers(folder: Path, *, start: int, iterations: int) -> list[EventWriter]:
    """Open Detectron2's own writers, without that of TensorBoard, which is a tracker like others.

    Events that a killed attempt wrote after its last checkpoint are dropped, so that every iteration occurs once.

    Args:
        folder: Directory of the written files.
        start: First iteration of this attempt.
        iterations: Number of iterations of the whole training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drop_from(folder / METRICS, start)
    return [CommonMetricPrinter(iterations), JSONWriter(str(folder / METRICS))]


def drop_from(path: Path, start: int) -> None:
    """Remove lines of iteration `start` and later ones from a metrics file, and lines that are incomplete."""
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        write_text(path, "".join(f"{line}\n" for line in lines if _is_before(line, start)))


def _is_before(line: str, start: int) -> bool:
    try:
        return bool(json.loads(line)["iteration"] < start)
    except (ValueError, TypeError, KeyError):
        return False
