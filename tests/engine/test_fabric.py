"""Training in place: the same result, bit for bit, whatever happens to the process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmark.core.method import Method
from benchmark.data.loader import TrainLoader
from benchmark.engine import interrupts
from benchmark.engine.base import TrainResult
from benchmark.engine.checkpoint import read_checkpoint
from benchmark.engine.fabric import FabricEngine
from benchmark.planning.resolve import build, load_split_of
from tests.engine.runs import fit, same_state, small_spec, toybox
from tests.engine.small_method import Small


def fit_small(checkpoint: Path) -> TrainResult:
    """Train or resume the small method and return the result of `fit`."""
    spec = small_spec()
    method, split, budget = build(spec), load_split_of(spec), spec.budget
    method.set_classes(split.seen)
    data = TrainLoader(toybox(), split, protocol=spec.protocol, batch_size=budget.batch_size, seed=spec.seed)
    return FabricEngine().fit(
        method, data, budget=budget, seed=spec.seed, checkpoint=checkpoint, observe=lambda _: None
    )


@pytest.mark.parametrize("stop_after", [1, 6, 12])
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(tmp_path: Path, stop_after: int) -> None:
    spec = small_spec()
    uninterrupted = fit(spec, tmp_path / "uninterrupted.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tmp_path / "resumed.pt", stop_after=stop_after, every=4)
    assert same_state(uninterrupted, fit(spec, tmp_path / "resumed.pt", every=4))


@pytest.mark.parametrize("stop_after", [1, 6, 12])
def test_on_a_stop_request_the_finished_iterations_are_saved(tmp_path: Path, stop_after: int) -> None:
    spec, path = small_spec(), tmp_path / "resumed.pt"
    uninterrupted = fit(spec, tmp_path / "uninterrupted.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(spec, path, stop_after=stop_after, stop=interrupts.request_stop)
    assert read_checkpoint(path)["iteration"] == stop_after
    assert same_state(uninterrupted, fit(spec, path))


def test_training_changes_trainable_parts_and_nothing_else(tmp_path: Path) -> None:
    before = build(small_spec()).state_dict()
    after = fit(small_spec(), tmp_path / "checkpoint.pt").state_dict()
    unchanged = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert unchanged == {name for name in before if name.startswith("color_map.")}


def test_the_number_of_loader_workers_changes_nothing(tmp_path: Path) -> None:
    spec = small_spec(budget__iterations=3)
    alone, helped = (fit(spec, tmp_path / f"{workers}.pt", workers=workers) for workers in (0, 2))
    assert same_state(alone, helped)


def test_another_seed_gives_another_method(tmp_path: Path) -> None:
    spec = small_spec(budget__iterations=1)
    reseeded = spec.model_copy(update={"seed": 4})
    assert not same_state(fit(spec, tmp_path / "3.pt"), fit(reseeded, tmp_path / "4.pt"))


def test_earlier_random_draws_change_nothing(tmp_path: Path) -> None:
    spec = small_spec(budget__iterations=2)
    first = fit(spec, tmp_path / "first.pt")
    torch.rand(7)
    assert same_state(first, fit(spec, tmp_path / "second.pt"))


def test_a_loss_that_is_not_finite_is_named_with_its_iteration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Small.losses
    bad_losses = {"classify": torch.tensor(1.0), "remember": torch.tensor(float("nan"))}

    def losses(self: Small, batch: list) -> dict:
        return bad_losses if self.step_context.iteration == 2 else original(self, batch)

    monkeypatch.setattr(type(build(small_spec())), "losses", losses)
    with pytest.raises(FloatingPointError, match="iteration 2: remember=nan"):
        fit(small_spec(), tmp_path / "checkpoint.pt")


def test_bfloat16_trains_float32_parameters(tmp_path: Path) -> None:
    method = fit(small_spec(budget__precision="bf16-mixed", budget__iterations=2), tmp_path / "checkpoint.pt")
    assert {parameter.dtype for parameter in method.parameters()} == {torch.float32}
    exact = fit(small_spec(budget__iterations=2), tmp_path / "exact.pt")
    assert not same_state(method, exact)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    trained = fit(small_spec(), tmp_path / "checkpoint.pt")
    seconds = read_checkpoint(tmp_path / "checkpoint.pt")["seconds"]
    assert same_state(trained, fit(small_spec(), tmp_path / "checkpoint.pt", stop_after=1))
    assert read_checkpoint(tmp_path / "checkpoint.pt")["seconds"] == seconds


def test_the_result_has_time_and_iterations_over_all_attempts(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(small_spec(), path, stop_after=7, stop=interrupts.request_stop)
    seconds_before = read_checkpoint(path)["seconds"]
    resumed = fit_small(path)
    assert (resumed.iterations, resumed.resumed_from) == (12, 7) and resumed.seconds > seconds_before > 0
    assert fit_small(path) == TrainResult(read_checkpoint(path)["seconds"], 12, 12)


def test_a_budget_that_the_engine_was_not_made_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"are \('32-true', 2\), but this engine was made for \('32-true', 1\)"):
        fit(small_spec(budget__micro_batches=2), tmp_path / "checkpoint.pt", engine=lambda **_: FabricEngine())


def test_slurm_variables_of_a_job_do_not_affect_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "array", "SLURM_JOB_ID": "1"}.items():
        monkeypatch.setenv(name, value)
    method = build(small_spec())
    assert isinstance(method, Method)
    assert FabricEngine(accelerator="cpu").device == torch.device("cpu")
