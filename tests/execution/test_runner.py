"""One run in this process: its record, its files, and its failures."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.engine.base import Progress
from benchmark.engine.checkpoint import read_checkpoint
from benchmark.execution import runner
from benchmark.execution.runner import execute
from benchmark.planning.resolve import build, resolve
from benchmark.planning.run_code import describe_code
from benchmark.profiling import process_memory
from benchmark.store import staleness
from benchmark.store.run_folder import RunFolder
from benchmark.store.staleness import find_changes
from benchmark.store.store import Store
from benchmark.utils.input_files import hash_file
from benchmark.utils.paths import ROOT
from methods.blocks.clip.assets import TOY_WEIGHTS
from tests.engine.runs import small_spec

KILLED = """
import os, signal, sys
from pathlib import Path
from benchmark.core.run_spec import RunSpec
from benchmark.execution.runner import execute
from benchmark.store.store import Store

def observe(progress):
    if progress.stage == "train" and progress.done == 7:
        os.kill(os.getpid(), signal.SIGKILL)

spec = RunSpec.model_validate_json(sys.stdin.read())
execute(spec, store=Store(Path(sys.argv[1])), observe=observe, checkpoint_every=3)
"""


def kill(spec: RunSpec, root: Path) -> int:
    """Run a spec in a process that is killed after iteration 7 of 12, and return its exit code."""
    command = [sys.executable, "-c", KILLED, str(root)]
    return subprocess.run(command, input=spec.canonical(), text=True, cwd=ROOT, check=False).returncode


def test_killed_and_resumed_is_bit_for_bit_uninterrupted(tmp_path: Path) -> None:
    spec, stores = small_spec(), (Store(tmp_path / "resumed"), Store(tmp_path / "uninterrupted"))
    folders = [store.run(spec.id) for store in stores]
    assert kill(spec, stores[0].root) == -signal.SIGKILL
    assert read_checkpoint(folders[0].checkpoint_path)["iteration"] == 6
    resumed, uninterrupted = (execute(spec, store=store) for store in stores)
    assert (resumed.state, resumed.attempts, uninterrupted.attempts) == (RunState.DONE, 2, 1)
    assert resumed.counts_digest == uninterrupted.counts_digest
    states = [read_checkpoint(folder.checkpoint_path)["model"] for folder in folders]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert [line["iteration"] for line in folders[0].read_losses()] == list(range(12))


def test_a_checkpoint_that_is_continued_under_other_arithmetic_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, store = small_spec(), Store(tmp_path)
    monkeypatch.setattr("benchmark.execution.runner.describe_arithmetic", lambda _: "AVX512")
    assert execute(spec, store=store).continued_from == ()
    store.run(spec.id).record_path.unlink()
    monkeypatch.setattr("benchmark.execution.runner.describe_arithmetic", lambda _: "AVX2")
    assert execute(spec, store=store).continued_from == ("AVX512",)


def test_a_run_leaves_counts_and_a_record(tmp_path: Path) -> None:
    spec, store, reports = small_spec(), Store(tmp_path), list[Progress]()
    record = execute(spec, store=store, observe=reports.append)
    assert store.run(spec.id).read_record() == record
    assert store.run(spec.id).read_counts().digest() == record.counts_digest
    assert (record.title, record.supervision, record.failure) == ("Small", "seen_masks+unseen_names", None)
    assert [report.done for report in reports if report.stage == "train"] == list(range(1, 13))
    assert record.code == describe_code(spec) and find_changes(record) == ()


def test_data_loading_workers_change_no_count(tmp_path: Path) -> None:
    spec = small_spec(budget__iterations=2)
    alone, helped = (execute(spec, store=Store(tmp_path / str(workers)), workers=workers) for workers in (0, 1))
    assert alone.counts_digest == helped.counts_digest is not None


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    spec, store = small_spec(budget__iterations=0), Store(tmp_path)
    first = execute(spec, store=store)
    assert execute(spec, store=store) == first
    assert len(store.run(spec.id).read_attempts()) == 1


def test_an_exception_becomes_the_record_of_a_failure_that_can_be_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, store = small_spec(budget__iterations=2), Store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(type(build(spec)), "losses", lambda self, batch: {"loss": torch.tensor(float("inf"))})
        record = execute(spec, store=store)
    assert record.failure is not None and record.title == "Small"
    assert record.failure.kind == "LossNotFiniteError"
    assert record.failure.message == "loss is not finite at iteration 0: loss=inf"
    assert record.failure.log_tail.endswith(record.failure.message)
    assert execute(spec, store=store).state == RunState.DONE


def test_the_log_has_progress_and_the_whole_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    spec = small_spec(budget__iterations=2)
    monkeypatch.setattr(type(build(spec)), "predict", lambda self, batch: 1 / 0)
    execute(spec, store=Store(tmp_path))
    assert re.search(r"train 2/2  classify \d\.\d{4}  remember", caplog.text)
    assert "Traceback" in caplog.text and "ZeroDivisionError" in caplog.text


def test_a_broken_checkpoint_fails_in_one_line(tmp_path: Path) -> None:
    spec, store = small_spec(), Store(tmp_path)
    store.run(spec.id).write_spec(spec)
    store.run(spec.id).checkpoint_path.write_bytes(b"incomplete")
    record = execute(spec, store=store)
    assert record.failure is not None
    assert "move it away to start this run again" in record.failure.message


def test_a_refused_checkpoint_moves_aside_when_the_run_is_repeated(tmp_path: Path) -> None:
    spec, run = small_spec(budget__iterations=2), Store(tmp_path).run(small_spec(budget__iterations=2).id)
    run.write_spec(spec)
    run.checkpoint_path.write_bytes(b"incomplete")
    assert execute(spec, store=Store(tmp_path)).failure is not None and run.has_refused_checkpoint()
    assert execute(spec, store=Store(tmp_path)).state is RunState.DONE
    assert (run.path / "attempts" / "01" / "checkpoint.pt").read_bytes() == b"incomplete"


def test_a_refused_checkpoint_that_was_restored_is_used(tmp_path: Path) -> None:
    spec, stores = small_spec(), (Store(tmp_path / "resumed"), Store(tmp_path / "whole"))
    run = stores[0].run(spec.id)
    kill(spec, stores[0].root)
    whole = run.checkpoint_path.read_bytes()
    run.checkpoint_path.write_bytes(whole[:5000])
    assert execute(spec, store=stores[0]).failure is not None
    run.checkpoint_path.write_bytes(whole)
    resumed, uninterrupted = (execute(spec, store=store) for store in stores)
    assert resumed.counts_digest == uninterrupted.counts_digest
    assert not list(run.path.glob("attempts/*/checkpoint.pt"))


def test_a_missing_method_file_fails_in_one_line(tmp_path: Path) -> None:
    spec = small_spec().model_copy(update={"source": str(tmp_path / "gone.py")})
    record = execute(spec, store=Store(tmp_path))
    assert record.failure is not None and record.failure.message.startswith("no method file")


@pytest.mark.parametrize("method", ["begin_attempt", "save_failure"])
def test_an_error_while_saving_the_record_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "cannot write: No space left on device")

    monkeypatch.setattr(RunFolder, method, fail)
    monkeypatch.setattr(RunFolder, "save_result", fail)
    with pytest.raises(OSError, match="No space left"):
        execute(small_spec(budget__iterations=0), store=Store(tmp_path))


def test_an_interrupt_leaves_no_record(tmp_path: Path) -> None:
    def observe(progress: Progress) -> None:
        raise KeyboardInterrupt

    spec = small_spec()
    with pytest.raises(KeyboardInterrupt):
        execute(spec, store=Store(tmp_path), observe=observe)
    assert not Store(tmp_path).run(spec.id).record_path.exists()


def test_a_changed_dataset_is_refused(tmp_path: Path) -> None:
    spec = small_spec().model_copy(update={"dataset_fingerprint": "another"})
    record = execute(spec, store=Store(tmp_path))
    assert record.failure is not None and "'toybox' changed since this run was planned" in record.failure.message


def test_an_engine_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("benchmark.d2", "detectron2"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "detectron2", None)
    with pytest.raises(ValueError, match="Detectron2"):
        runner.open_engine(small_spec().model_copy(update={"engine": "detectron2"}))


def test_operations_parameters_and_size_equal_those_computed_by_hand(tmp_path: Path) -> None:
    measured = execute(small_spec(budget__iterations=1), store=Store(tmp_path)).cost
    assert measured is not None
    color_map, body, rows = 3 * 3 + 3 + 6, 6 * 27 + 6 + 12, 32 * 6
    assert (measured.trainable_parameters, measured.total_parameters) == (body + rows, color_map + body + rows)
    pixels = 64 * 64
    assert measured.inference_flops == 2 * pixels * (9 + 6 * 27 + 32 * 6)
    # backward: twice the forward if the input needs a gradient too, else once
    assert measured.training_flops == 2 * pixels * (9 + 2 * 6 * 27 + 3 * 26 * 6)
    assert measured.image_size == (64, 64) and measured.latency_ms > 0 and measured.train_seconds > 0


def test_peak_memory_is_in_megabytes_and_of_this_process() -> None:
    kept = torch.ones(64, 2**20)
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert kept.numel() * 4 / 2**20 < process_memory.get_peak_memory_mb() <= highest + 1


def test_weights_that_were_read_stand_in_the_record(tmp_path: Path) -> None:
    spec = resolve("maskclip", split="toybox", seed=0, overrides={"budget.iterations": 0}, max_images=1)
    inputs = execute(spec, store=Store(tmp_path)).inputs
    assert inputs == {"methods/blocks/assets/toy_clip.safetensors": hash_file(TOY_WEIGHTS)}


def test_another_file_under_the_name_of_weights_makes_a_run_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest_input, path = staleness._read_input, tmp_path / "w.safetensors"
    monkeypatch.setattr(staleness, "_digest_input", digest_input)
    path.write_bytes(TOY_WEIGHTS.read_bytes())
    changes = {"clip.weights": str(path), "budget.iterations": 0}
    record = execute(
        resolve("maskclip", split="toybox", seed=0, overrides=changes, max_images=1), store=Store(tmp_path)
    )
    assert find_changes(record) == ()
    path.write_bytes(b"others")
    assert find_changes(record) == (f"input {path} changed",)
