"""Losses and learning rates in the event storage and in metrics.json."""

from __future__ import annotations

import json
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

from benchmark.core.method import Method
from benchmark.d2.engine import detectron2_engine
from benchmark.d2.engine.detectron2_engine import Detectron2Engine
from benchmark.d2.engine.events import drop_from
from benchmark.d2.engine.trainer import MicroBatchTrainer
from benchmark.engine.base import Progress
from benchmark.engine.step_losses import LossReader
from tests.engine.runs import fit, small_spec

LOSSES = ("iteration", "classify", "remember", "total_loss", "lr")


def make_reader(device: torch.device, method: Method, _: torch.device) -> LossReader:
    return LossReader(method, device)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]


def test_losses_and_rates_are_in_metrics_json(tmp_path: Path) -> None:
    reports: list[Progress] = []
    spec = small_spec(budget__iterations=40)
    fit(spec, tmp_path / "checkpoint.pt", engine=Detectron2Engine, observe=reports.append)
    metrics = read_metrics(tmp_path)
    assert [line["iteration"] for line in metrics] == [19, 39]
    assert [line["lr"] for line in metrics] == [reports[19].learning_rate, reports[39].learning_rate]
    latest_losses = [report.losses["classify"] for report in reports[20:]]
    assert metrics[1]["classify"] == pytest.approx(statistics.median(latest_losses), abs=0)


def test_losses_that_are_read_late_give_the_same_metrics_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics: list[list[dict[str, Any]]] = []
    for device in ("cpu", "cuda"):  # the reader looks at the type of the device only
        reader = partial(make_reader, torch.device(device))
        monkeypatch.setattr(detectron2_engine, "LossReader", reader)
        fit(small_spec(budget__iterations=50), tmp_path / device / "checkpoint.pt", engine=Detectron2Engine)
        metrics.append(read_metrics(tmp_path / device))
    at_once, late = ([{name: line[name] for name in LOSSES} for line in lines] for lines in metrics)
    assert late == at_once and [line["iteration"] for line in late] == [19, 39, 49]


def test_losses_of_every_step_are_in_the_event_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    histories: list[dict] = []
    original = MicroBatchTrainer.after_train

    def after_train(trainer: MicroBatchTrainer) -> None:
        histories.append(trainer.storage.histories())
        original(trainer)

    monkeypatch.setattr(MicroBatchTrainer, "after_train", after_train)
    fit(small_spec(), tmp_path / "checkpoint.pt", engine=Detectron2Engine)
    assert {"classify", "remember", "total_loss", "lr", "data_time"} <= histories[0].keys()
    assert len(histories[0]["classify"].values()) == 12


def test_after_an_interruption_no_iteration_is_in_metrics_json_twice(tmp_path: Path) -> None:
    spec, path = small_spec(budget__iterations=60), tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(spec, path, stop_after=45, every=30, engine=Detectron2Engine)
    assert [line["iteration"] for line in read_metrics(tmp_path)][:2] == [19, 39]
    fit(spec, path, every=30, engine=Detectron2Engine)
    assert [line["iteration"] for line in read_metrics(tmp_path)] == [19, 39, 59]


def test_incomplete_lines_are_removed_from_metrics_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text('{"iteration": 19}\n{"iterat\n{"iteration": 39}\n{"iteration": 59}\n{"iteration": 4')
    drop_from(path, 40)
    assert [line["iteration"] for line in read_metrics(tmp_path)] == [19, 39]
