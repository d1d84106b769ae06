"""Training in place: bit for bit the same whatever happens to the process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmark.core.method import Method
from benchmark.core.protocol import Protocol
from benchmark.core.split import Split
from benchmark.data.loader import EvalLoader
from benchmark.engine import checkpoint, interrupts
from benchmark.engine.base import Observer, Progress
from benchmark.engine.fabric import FabricEngine
from benchmark.evaluation.counts import Counts
from benchmark.planning.resolve import build, split_of
from tests.engine.runs import fit, same_state, small_spec, toybox
from tests.engine.small_method import Small


def scored(method: Method, view: EvalLoader, split: Split, *, observe: Observer) -> Counts:
    engine = FabricEngine()
    return engine.evaluate(method, view, classes=split.classes, seen=split.is_seen, gamma=0.0, observe=observe)


@pytest.mark.parametrize("stop", [1, 6, 12])
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(tmp_path: Path, stop: int) -> None:
    spec = small_spec()
    whole = fit(spec, tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(spec, tmp_path / "parts.pt", stop=stop, every=4)
    assert same_state(whole, fit(spec, tmp_path / "parts.pt", every=4))


@pytest.mark.parametrize("stop", [1, 6, 12])
def test_asked_to_stop_it_saves_the_iterations_done(tmp_path: Path, stop: int) -> None:
    spec, path = small_spec(), tmp_path / "parts.pt"
    whole = fit(spec, tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        fit(spec, path, stop=stop, how=interrupts.ask)
    assert checkpoint.read(path)["iteration"] == stop
    assert same_state(whole, fit(spec, path))


def test_training_moves_what_is_trained_and_nothing_else(tmp_path: Path) -> None:
    before = build(small_spec()).state_dict()
    after = fit(small_spec(), tmp_path / "checkpoint.pt").state_dict()
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert same == {name for name in before if name.startswith("trunk.")}


def test_the_number_of_loader_workers_changes_nothing(tmp_path: Path) -> None:
    spec = small_spec(budget__iterations=3)
    alone, helped = (fit(spec, tmp_path / f"{workers}.pt", workers=workers) for workers in (0, 2))
    assert same_state(alone, helped)


def test_another_seed_gives_another_method(tmp_path: Path) -> None:
    spec = small_spec(budget__iterations=1)
    other = spec.model_copy(update={"seed": 4})
    assert not same_state(fit(spec, tmp_path / "3.pt"), fit(other, tmp_path / "4.pt"))


def test_what_was_drawn_before_changes_nothing(tmp_path: Path) -> None:
    spec = small_spec(budget__iterations=2)
    one = fit(spec, tmp_path / "one.pt")
    torch.rand(7)
    assert same_state(one, fit(spec, tmp_path / "other.pt"))


def test_without_iterations_only_initialisation_happens(tmp_path: Path) -> None:
    method = fit(small_spec(budget__iterations=0), tmp_path / "checkpoint.pt")
    state = method.state_dict()
    assert torch.all(state["mean"] > 0) and not torch.any(state["memory"])
    assert same_state(method, fit(small_spec(budget__iterations=0), tmp_path / "checkpoint.pt"))


def test_a_loss_that_is_not_finite_is_named_with_its_iteration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = Small.losses
    bad = {"classify": torch.tensor(1.0), "remember": torch.tensor(float("nan"))}

    def losses(self: Small, batch: list) -> dict:
        return bad if self.step_context.iteration == 2 else good(self, batch)

    method = type(build(small_spec()))
    monkeypatch.setattr(method, "losses", losses)
    with pytest.raises(FloatingPointError, match="iteration 2: remember=nan"):
        fit(small_spec(), tmp_path / "checkpoint.pt")


def test_initialising_what_no_checkpoint_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def initialize(self: Small, batches: object) -> None:
        self.trunk[0].bias.add_(1)

    monkeypatch.setattr(type(build(small_spec())), "initialise", initialize)
    with pytest.raises(ValueError, match=r"initialize changed trunk\.0\.bias"):
        fit(small_spec(), tmp_path / "checkpoint.pt")


def test_what_initialisation_draws_has_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = small_spec(budget__iterations=0)
    drawn: list[torch.Tensor] = []
    monkeypatch.setattr(type(build(spec)), "initialize", lambda self, batches: drawn.append(torch.rand(3)))
    monkeypatch.setattr(type(build(spec)), "set_classes", lambda self, names: torch.rand(len(drawn)))
    for name in ("one", "other"):
        fit(spec, tmp_path / name)
    assert torch.equal(*drawn)


def test_bfloat16_trains_float32_parameters(tmp_path: Path) -> None:
    method = fit(small_spec(budget__precision="bf16-mixed", budget__iterations=2), tmp_path / "checkpoint.pt")
    assert {parameter.dtype for parameter in method.parameters()} == {torch.float32}
    exact = fit(small_spec(budget__iterations=2), tmp_path / "exact.pt")
    assert not same_state(method, exact)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    whole = fit(small_spec(), tmp_path / "checkpoint.pt")
    seconds = checkpoint.read(tmp_path / "checkpoint.pt")["seconds"]
    assert same_state(whole, fit(small_spec(), tmp_path / "checkpoint.pt", stop=1))
    assert checkpoint.read(tmp_path / "checkpoint.pt")["seconds"] == seconds


def test_every_image_is_scored_once_and_reported() -> None:
    spec, heard = small_spec(), list[Progress]()
    method, split = build(spec), split_of(spec)
    view = EvalLoader(toybox(), split, protocol=Protocol(), max_images=2)
    counts = scored(method, view, split, observe=heard.append)
    assert counts.truth.sum() == sum(int((truth != 255).sum()) for _, truth in view)
    assert [(one.stage, one.done, one.total) for one in heard] == [("evaluate", 1, 2), ("evaluate", 2, 2)]


def test_predicting_more_than_was_asked_for_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = small_spec()
    method, split = build(spec), split_of(spec)
    monkeypatch.setattr(type(method), "predict", lambda self, batch: [])
    view = EvalLoader(toybox(), split, protocol=Protocol(), max_images=1)
    with pytest.raises(ValueError, match="gave 0 predictions"):
        scored(method, view, split, observe=lambda _: None)


def test_slurm_variables_of_a_job_do_not_disturb_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "array", "SLURM_JOB_ID": "1"}.items():
        monkeypatch.setenv(name, value)
    method = build(small_spec())
    assert isinstance(method, Method)
    assert FabricEngine(accelerator="cpu").device == torch.device("cpu")
