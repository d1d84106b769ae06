"""A folder of published numbers with three lines, which tests write with changes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from benchmark.published.read import PUBLISHED

ORIGIN = {"venue": "X", "year": "2024", "source": "A README", "how_read": "README", "is_verified": "yes"}
TRAITS = {"supervision": "seen_masks", "vocabulary": "all", "target_images": "none", "backbone": "CLIP ViT-B/16"}
GZSS = {
    **ORIGIN,
    **TRAITS,
    "method": "First",
    "benchmark": "VOC 2012",
    "setting": "inductive",
    "miou_seen": "90.0",
    "miou_unseen": "60.0",
    "hiou": "72.0",
}
OTHER = {**ORIGIN, **TRAITS, "supervision": "none", "method": "Second", "average_of": "Average of 5 (FLOSS)"}
NUMBERS = {"VOC20": "80.0", "PC59": "40.0", "Stuff": "20.0", "City": "30.0", "ADE": "10.0", "average": "36.0"}


def write_folder(
    folder: Path, *, gzss: dict[str, str] | None = None, others: tuple[dict[str, str], ...] = ({},)
) -> Path:
    """Write a folder with a line of GZSS and one or more of open vocabulary, each with changes, and return it."""
    (folder / "benchmarks.csv").write_text((PUBLISHED / "benchmarks.csv").read_text(encoding="utf-8"), encoding="utf-8")
    _write(folder / "gzss.csv", [GZSS | (gzss or {})])
    _write(folder / "openvocab.csv", [OTHER | NUMBERS | changes for changes in others])
    return folder


def _write(path: Path, lines: list[dict[str, str]]) -> None:
    """Write lines with the columns of the real file of this name."""
    header = next(csv.reader(io.StringIO((PUBLISHED / path.name).read_text(encoding="utf-8"))))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(lines)
