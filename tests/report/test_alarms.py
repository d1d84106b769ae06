"""Alarms of runs in the notes of a table and in `show`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.core.split import SPLITS
from benchmark.evaluation.counts import Counts
from benchmark.report.alarms import describe_alarms
from benchmark.report.rows import Row, read_rows
from benchmark.store.store import Store
from tests.cli.shell import run_command
from tests.report.world import COST, even, hand_counts, plan_of, save, spec_of

GOOD = even(80, 60, images=6)
EXCHANGED = hand_counts([[10, 10, 60, 60]] * 6)  # grass as water and water as grass


def make_row(folder: Path, *counts: Counts, fields: dict[str, Any] | None = None, **changes: Any) -> Row:
    store = Store(folder)
    specs = [spec_of(seed=seed, **changes) for seed in range(len(counts))]
    ids = {spec.seed: save(store, spec, each, **fields or {}) for spec, each in zip(specs, counts, strict=True)}
    (row,) = read_rows(store, plan_of({"paper": ids}))
    return row


def test_an_honest_row_has_no_alarm(tmp_path: Path) -> None:
    assert describe_alarms(make_row(tmp_path, GOOD, GOOD)) == []


def test_seeds_with_the_same_alarm_share_a_text(tmp_path: Path) -> None:
    texts = describe_alarms(make_row(tmp_path, GOOD, EXCHANGED, EXCHANGED))
    detail = "grass as water, water as grass; mIoU 62.3 instead of 24.1 if the exchange is undone"
    assert texts[0] == f"seeds 1, 2: predicted class ids look exchanged ({detail})"


def test_seeds_with_the_same_alarm_and_other_numbers_share_their_range(tmp_path: Path) -> None:
    other = hand_counts([[0, 0, 60, 60]] * 6)
    text = describe_alarms(make_row(tmp_path, EXCHANGED, other))[0]
    assert "; mIoU 62.3 to 71.4 instead of 21.4 to 24.1 if" in text


def test_one_seed_is_named_alone(tmp_path: Path) -> None:
    assert describe_alarms(make_row(tmp_path, GOOD, EXCHANGED))[0].startswith("seed 1: predicted class ids")


@pytest.mark.parametrize(("split", "is_alarm"), [("voc12", True), ("toybox", False), ("gone", False)])
def test_toy_weights_on_real_images_are_an_alarm(tmp_path: Path, split: str, is_alarm: bool) -> None:
    row = make_row(tmp_path, GOOD, config={"clip": {"model": "toy-ViT-8", "weights": "toy"}, "rate": 1}, split=split)
    text = "seed 0: toy weights, which are made for toybox, on other images (clip.weights=toy on voc12)"
    assert describe_alarms(row) == ([text] if is_alarm else [])


def test_toy_weights_are_an_alarm_under_a_split_file_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text((SPLITS / "voc12.yaml").read_text())
    config, source = {"weights": "toy"}, str(tmp_path / "mine.yaml")
    row = make_row(tmp_path, GOOD, config=config, split="mine", split_source=source)
    assert "(weights=toy on voc12)" in describe_alarms(row)[0]


@pytest.mark.parametrize(
    ("reason", "texts"),
    [("KeyError: x", ["seed 0: cost not measured (KeyError: x)"]), ("switched off", []), ("", [])],
)
def test_a_cost_that_could_not_be_measured_is_noted(tmp_path: Path, reason: str, texts: list[str]) -> None:
    cost = COST.model_copy(update={"latency_ms": None, "unmeasured": reason})
    assert describe_alarms(make_row(tmp_path, GOOD, fields={"cost": cost})) == texts


def test_show_prints_the_alarms_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = save(Store(tmp_path), spec_of(), EXCHANGED)
    out = run_command(capsys, "--runs", str(tmp_path), "show", run_id).out
    assert "\nalarms\n  predicted class ids look exchanged (grass as water, water as grass; mIoU" in out
