"""Two engines, one result: on Detectron2's trainer everything comes out as on Fabric, bit for bit."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.d2.engine.detectron2_engine import Detectron2Engine
from benchmark.d2.engine.events import drop_from
from benchmark.d2.engine.trainer import Trainer
from benchmark.engine import checkpoint, interrupts
from benchmark.engine.base import Progress
from benchmark.engine.fabric import FabricEngine
from benchmark.execution.runner import execute
from benchmark.planning.resolve import build, resolve
from benchmark.store.store import Store
from tests.engine.runs import METHOD, fit, interrupt, same_state, small_spec

ROOT = Path(__file__).resolve().parents[3]
ABLATIONS = ("Chimera-Seg", "no CSH", "no SGD", "no SAM", "full-CLIP head")
METHODS = (*(f"chimera_seg/{label}" for label in ABLATIONS), "maskclip", "spnet")
PARTS = {"budget.iterations": 5, "budget.batch_size": 2, "budget.init_images": 4}


def resolved(method: str, engine: str, **overrides: object) -> RunSpec:
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    short = {} if method == "maskclip" else PARTS
    return resolve(method, split="toybox", seed=0, engine=engine, overrides=short | dotted, max_images=4)


def losses(store: Store, spec: RunSpec) -> list[dict]:
    path = store.folder(spec.id) / "history.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return list({line["iteration"]: line for line in lines}.values())


def outcome(method: str, engine: str, store: Store, **overrides: object) -> tuple[RunRecord, list[dict]]:
    spec = resolved(method, engine, **overrides)
    record = execute(spec, store=store)
    assert record.failure is None
    return record, losses(store, spec)


@pytest.mark.parametrize("method", METHODS)
def test_both_engines_give_the_same_losses_and_counts(method: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    ours, theirs = (outcome(method, engine, store) for engine in ("fabric", "detectron2"))
    assert ours[0].counts_digest == theirs[0].counts_digest
    assert ours[1] == theirs[1]
    assert len(ours[1]) == (0 if method == "maskclip" else 5)


@pytest.mark.parametrize("method", METHODS)
def test_interrupted_and_resumed_it_gives_what_fabric_gives_undisturbed(method: str, tmp_path: Path) -> None:
    stores = [Store(tmp_path / name) for name in ("whole", "parts")]
    whole = outcome(method, "fabric", stores[0])
    spec = resolved(method, "detectron2")

    def stop(progress: object) -> None:
        if getattr(progress, "done", 0) == 3:
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        execute(spec, store=stores[1], observe=stop, checkpoint_every=2)
    record = execute(spec, store=stores[1], checkpoint_every=2)
    assert (record.counts_digest, losses(stores[1], spec)) == (whole[0].counts_digest, whole[1])


@pytest.mark.parametrize(
    "overrides", [{"budget__precision": "bf16-mixed"}, {"budget__shards": 2, "budget__batch_size": 4}]
)
def test_precision_and_shards_give_the_same_too(overrides: dict, tmp_path: Path) -> None:
    store = Store(tmp_path)
    ours, theirs = (outcome("chimera_seg", engine, store, **overrides) for engine in ("fabric", "detectron2"))
    assert (ours[0].counts_digest, ours[1]) == (theirs[0].counts_digest, theirs[1])


@pytest.mark.parametrize("stop", [1, 6, 12])
def test_asked_to_stop_it_saves_the_iterations_done_and_goes_on_under_either_engine(tmp_path: Path, stop: int) -> None:
    spec, path = small_spec(), tmp_path / "parts" / "checkpoint.pt"
    whole = fit(spec, tmp_path / "whole" / "checkpoint.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(spec, path, stop=stop, how=interrupts.ask, engine=Detectron2Engine)
    assert checkpoint.read(path)["iteration"] == stop
    assert same_state(whole, fit(spec, path))


KILLED = """
import os, signal, sys
from benchmark.planning.resolve import build, resolve
from benchmark.execution.runner import execute
from benchmark.store.store import Store

def kill(progress):
    if progress.done == 7:
        os.kill(os.getpid(), signal.SIGKILL)

spec = resolve(sys.argv[1], split="toybox", seed=3, engine="detectron2", max_images=3)
execute(spec, store=Store(sys.argv[2]), observe=kill, checkpoint_every=4)
"""


def test_killed_and_resumed_it_gives_what_fabric_gives_undisturbed(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, METHOD, str(tmp_path)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    store = Store(tmp_path)
    ours, theirs = (
        resolve(METHOD, split="toybox", seed=3, max_images=3, engine=one) for one in ("fabric", "detectron2")
    )
    assert checkpoint.read(store.checkpoint(theirs.id))["iteration"] == 4
    records = [execute(spec, store=store) for spec in (ours, theirs)]
    assert records[0].counts_digest == records[1].counts_digest
    assert losses(store, ours) == losses(store, theirs)


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    whole = fit(small_spec(), path, engine=Detectron2Engine)
    before, seconds = (tmp_path / "metrics.json").read_text(), checkpoint.read(path)["seconds"]
    assert same_state(whole, fit(small_spec(), path, stop=1, engine=Detectron2Engine))
    assert ((tmp_path / "metrics.json").read_text(), checkpoint.read(path)["seconds"]) == (before, seconds)


def test_a_loss_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = type(build(small_spec()))
    own = method.losses
    monkeypatch.setattr(method, "losses", lambda self, batch: {"total_loss": own(self, batch)["classify"]})
    whole, other = (
        fit(small_spec(), tmp_path / one.name / "c.pt", engine=one) for one in (FabricEngine, Detectron2Engine)
    )
    assert same_state(whole, other)


def test_a_failed_run_says_which_detectron2_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "run_step", lambda self: 1 / 0)
    record = execute(resolved("spnet", "detectron2"), store=Store(tmp_path))
    assert record.state == "failed" and "detectron2" in record.environment.packages


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]


def test_losses_and_rates_stand_in_metrics_json(tmp_path: Path) -> None:
    heard: list[Progress] = []
    spec = small_spec(budget__iterations=40)
    fit(spec, tmp_path / "checkpoint.pt", engine=Detectron2Engine, watch=heard.append)
    found = metrics(tmp_path)
    assert [line["iteration"] for line in found] == [19, 39]
    assert [line["lr"] for line in found] == [heard[19].learning_rate, heard[39].learning_rate]
    recent = [one.losses["classify"] for one in heard[20:]]
    assert found[1]["classify"] == pytest.approx(statistics.median(recent), abs=0)


def test_losses_of_every_step_are_in_the_event_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[dict] = []
    ended = Trainer.after_train

    def after_train(trainer: Trainer) -> None:
        stored.append(trainer.storage.histories())
        ended(trainer)

    monkeypatch.setattr(Trainer, "after_train", after_train)
    fit(small_spec(), tmp_path / "checkpoint.pt", engine=Detectron2Engine)
    assert {"classify", "remember", "total_loss", "lr", "data_time"} <= stored[0].keys()
    assert len(stored[0]["classify"].values()) == 12


def test_after_a_kill_no_iteration_stands_in_metrics_json_twice(tmp_path: Path) -> None:
    spec, path = small_spec(budget__iterations=60), tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(spec, path, stop=45, every=30, engine=Detectron2Engine)
    assert [line["iteration"] for line in metrics(tmp_path)][:2] == [19, 39]
    fit(spec, path, every=30, engine=Detectron2Engine)
    assert [line["iteration"] for line in metrics(tmp_path)] == [19, 39, 59]


def test_lines_that_were_cut_short_are_dropped_from_metrics_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text('{"iteration": 19}\n{"iterat\n{"iteration": 39}\n{"iteration": 59}\n{"iteration": 4')
    drop_from(path, 40)
    assert [line["iteration"] for line in metrics(tmp_path)] == [19, 39]


def test_tensorboard_has_losses_and_rates(tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="no TensorBoard")
    fit(small_spec(), tmp_path / "checkpoint.pt", engine=Detectron2Engine)
    events = reading.EventAccumulator(str(tmp_path)).Reload()
    assert {"classify", "remember", "lr", "total_loss"} <= set(events.Tags()["scalars"])


def test_one_of_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_NTASKS": "2", "SLURM_STEP_ID": "0", "SLURM_PROCID": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="start 1 task, or use engine 'fabric'"):
        Detectron2Engine(micro_batches=2)
