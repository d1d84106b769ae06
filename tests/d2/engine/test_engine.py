"""On Detectron2's trainer, every result is the same as on Fabric, bit for bit."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.d2.engine.detectron2_engine import Detectron2Engine
from benchmark.d2.engine.trainer import MicroBatchTrainer
from benchmark.engine import interrupts
from benchmark.engine.base import Progress
from benchmark.engine.checkpoint import read_checkpoint
from benchmark.engine.fabric import FabricEngine
from benchmark.execution.runner import execute
from benchmark.planning.registry import list_methods
from benchmark.planning.resolve import build, resolve
from benchmark.store.store import Store
from benchmark.utils.paths import ROOT
from tests.engine.runs import METHOD, fit, interrupt, same_state, small_spec
from tests.engine.several_processes import run_processes

ABLATIONS = ("no CSH", "no SGD", "no SAM", "full-CLIP head")
METHODS = (*list_methods(), *(f"chimera_seg/{label}" for label in ABLATIONS))
SHORT = {"budget.iterations": 5, "budget.batch_size": 2, "budget.init_images": 4}
ENGINES = ("fabric", "detectron2")


def short_spec(method: str, engine: str, **changes: object) -> RunSpec:
    """Return the spec of a short run; two underscores in a change stand for a dot."""
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    is_trained = resolve(method, split="toybox", seed=0).budget.iterations > 0
    overrides = (SHORT if is_trained else {}) | dotted
    return resolve(method, split="toybox", seed=0, engine=engine, overrides=overrides, max_images=4)


def run_short(method: str, engine: str, store: Store, **overrides: object) -> tuple[RunRecord, list[dict[str, Any]]]:
    """Run a short spec and return its record and losses."""
    spec = short_spec(method, engine, **overrides)
    record = execute(spec, store=store)
    assert record.failure is None
    return record, store.run(spec.id).read_losses()


@pytest.mark.parametrize("method", METHODS)
def test_both_engines_give_the_same_losses_and_counts(method: str, tmp_path: Path) -> None:
    (fabric, fabric_losses), (detectron2, losses) = (run_short(method, engine, Store(tmp_path)) for engine in ENGINES)
    assert fabric.counts_digest == detectron2.counts_digest
    assert fabric_losses == losses
    assert len(losses) == short_spec(method, "fabric").budget.iterations


@pytest.mark.parametrize("method", METHODS)
def test_interrupted_and_resumed_it_gives_the_results_of_fabric(method: str, tmp_path: Path) -> None:
    fabric, fabric_losses = run_short(method, "fabric", Store(tmp_path / "fabric"))
    spec, store = short_spec(method, "detectron2"), Store(tmp_path / "detectron2")

    def stop(progress: Progress) -> None:
        if progress.done == 3:
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        execute(spec, store=store, observe=stop, checkpoint_every=2)
    record = execute(spec, store=store, checkpoint_every=2)
    assert (record.counts_digest, store.run(spec.id).read_losses()) == (fabric.counts_digest, fabric_losses)


@pytest.mark.parametrize(
    "overrides", [{"budget__precision": "bf16-mixed"}, {"budget__micro_batches": 2, "budget__batch_size": 4}]
)
def test_results_are_the_same_in_bfloat16_and_with_micro_batches(overrides: dict, tmp_path: Path) -> None:
    store = Store(tmp_path)
    (fabric, fabric_losses), (detectron2, losses) = (
        run_short("chimera_seg", engine, store, **overrides) for engine in ENGINES
    )
    assert (fabric.counts_digest, fabric_losses) == (detectron2.counts_digest, losses)


@pytest.mark.parametrize("stop_after", [1, 6, 12])
def test_on_a_stop_request_it_saves_and_either_engine_resumes(tmp_path: Path, stop_after: int) -> None:
    spec, path = small_spec(), tmp_path / "resumed" / "checkpoint.pt"
    uninterrupted = fit(spec, tmp_path / "uninterrupted" / "checkpoint.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(spec, path, stop_after=stop_after, stop=interrupts.request_stop, engine=Detectron2Engine)
    assert read_checkpoint(path)["iteration"] == stop_after
    assert same_state(uninterrupted, fit(spec, path))


KILLED = """
import os, signal, sys
from benchmark.planning.registry import list_methods
from benchmark.planning.resolve import build, resolve
from benchmark.execution.runner import execute
from benchmark.store.store import Store

def kill(progress):
    if progress.done == 7:
        os.kill(os.getpid(), signal.SIGKILL)

spec = resolve(sys.argv[1], split="toybox", seed=3, engine="detectron2", max_images=3)
execute(spec, store=Store(sys.argv[2]), observe=kill, checkpoint_every=4)
"""


def test_killed_and_resumed_it_gives_the_results_of_fabric(tmp_path: Path) -> None:
    process = subprocess.run([sys.executable, "-c", KILLED, METHOD, str(tmp_path)], cwd=ROOT, check=False)
    assert process.returncode == -signal.SIGKILL
    store = Store(tmp_path)
    specs = [resolve(METHOD, split="toybox", seed=3, max_images=3, engine=engine) for engine in ENGINES]
    assert read_checkpoint(store.run(specs[1].id).checkpoint_path)["iteration"] == 4
    records = [execute(spec, store=store) for spec in specs]
    assert records[0].counts_digest == records[1].counts_digest
    assert store.run(specs[0].id).read_losses() == store.run(specs[1].id).read_losses()


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    trained = fit(small_spec(), path, engine=Detectron2Engine)
    before = (tmp_path / "metrics.json").read_text(), read_checkpoint(path)["seconds"]
    assert same_state(trained, fit(small_spec(), path, stop_after=1, engine=Detectron2Engine))
    assert ((tmp_path / "metrics.json").read_text(), read_checkpoint(path)["seconds"]) == before


def test_a_loss_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method_class = type(build(small_spec()))
    original = method_class.losses
    monkeypatch.setattr(method_class, "losses", lambda self, batch: {"total_loss": original(self, batch)["classify"]})
    on_fabric, on_detectron2 = (
        fit(small_spec(), tmp_path / engine.__name__ / "checkpoint.pt", engine=engine)
        for engine in (FabricEngine, Detectron2Engine)
    )
    assert same_state(on_fabric, on_detectron2)


def test_the_record_of_a_failed_run_has_the_version_of_detectron2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MicroBatchTrainer, "run_step", lambda self: 1 / 0)
    record = execute(short_spec("spnet", "detectron2"), store=Store(tmp_path))
    assert record.state == RunState.FAILED and "detectron2" in record.environment.packages


def test_one_of_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_NTASKS": "2", "SLURM_STEP_ID": "0", "SLURM_PROCID": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="start 1 task, or use engine 'fabric'"):
        Detectron2Engine(micro_batches=2)


def test_a_killed_evaluation_goes_on_where_it_was(tmp_path: Path) -> None:
    spec = small_spec(budget__iterations=2).model_copy(update={"max_images": 7, "engine": "detectron2"})
    killed, whole, reports = Store(tmp_path / "killed"), Store(tmp_path / "whole"), list[Progress]()
    assert run_processes(spec, killed.root, size=1, evaluated=4) == [-signal.SIGKILL]
    execute(spec, store=killed, observe=reports.append)
    execute(spec, store=whole)
    assert [report.done for report in reports if report.stage == "evaluate"] == [5, 6, 7]
    assert killed.run(spec.id).counts_path.read_bytes() == whole.run(spec.id).counts_path.read_bytes()
