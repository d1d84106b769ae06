"""Every number of the tables that the literature was first noted in is found; they are next to some checkouts only."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmark.published.benchmarks import read_benchmarks
from benchmark.published.find import fold_name
from benchmark.published.published_row import Metric, PublishedRow
from benchmark.published.read import PUBLISHED, read_published

SHARED = Path(__file__).resolve().parents[3] / "shared"
ROWS = read_published()
METRICS: dict[str, Metric] = {
    "pacc": "pixel_accuracy",
    "miou_seen": "miou_seen",
    "miou_unseen": "miou_unseen",
    "hiou": "hiou",
}
SPLITS = {
    "15/5": "voc12",
    "156/15": "coco_stuff164k",
    "49/10": "pascal_context59",
    "49/10 (Cascade-CLIP unseen list)": "pascal_context59_cascadeclip",
    "49/10 (probably Cascade-CLIP unseen list)": "context59_alignclip",
    "29/4 (CaGNet)": "pascal_context33",
}


def read_shared(name: str) -> list[dict[str, str]]:
    if not (SHARED / name).is_file():
        pytest.skip(f"{name} is not next to this checkout")
    with (SHARED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def has_number(row: PublishedRow, metric: Metric, text: str) -> bool:
    """Return whether a row has a number as printed, or computed here and rounded to as many decimals."""
    if row.printed.get(metric) == float(text):
        return True
    half_unit = 0.5 * 10.0 ** -len(text.partition(".")[2])
    return metric in row.recomputed and abs(row.recomputed[metric] - float(text)) <= half_unit + 0.005


def test_every_line_of_generalized_zero_shot_segmentation_is_found() -> None:
    missing = []
    for line in read_shared("published.csv"):
        numbers = {metric: line[column] for column, metric in METRICS.items() if line[column]}
        fits = [
            row
            for row in ROWS
            if row.method == line["method"]
            and row.split == SPLITS[line["split"]]
            and row.traits.setting.startswith(fold_name(line["setting"]))
            and row.is_verified == (line["verified"] == "yes")
            and all(has_number(row, metric, text) for metric, text in numbers.items())
        ]
        missing += [] if len(fits) == 1 else [(line["method"], line["dataset"], line["split"], len(fits))]
    assert missing == []


def test_every_number_of_open_vocabulary_segmentation_is_found() -> None:
    names = set(read_benchmarks(PUBLISHED / "benchmarks.csv"))
    missing = []
    for line in read_shared("published_openvocab.csv"):
        for column in (name for name in line if name in names and line[name]):
            fits = [
                row
                for row in ROWS
                if row.method.startswith(line["method"].removesuffix("re-run)").removesuffix("(vanilla)").strip())
                and row.benchmark.startswith(column)
                and str(row.year) == line["year"]
                and has_number(row, "miou", line[column])
            ]
            missing += [] if fits else [(line["method"], column, line[column])]
    assert missing == []


def test_every_printed_average_of_open_vocabulary_segmentation_is_found() -> None:
    lines = [line for line in read_shared("published_openvocab.csv") if line["avg_printed"]]
    averages = [row for row in ROWS if row.is_average]
    missing = [
        line["method"]
        for line in lines
        if not any(
            row.method.startswith(line["method"].split(" (")[0]) and has_number(row, "miou", line["avg_printed"])
            for row in averages
        )
    ]
    assert missing == [] and len(lines) > 50
