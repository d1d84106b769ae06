"""What every method and variant promises; a new file under methods/ is tested by being there."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.core.method import Method
from benchmark.core.seeding import seed_globals
from benchmark.core.types import Batch
from benchmark.engine.checkpoint import get_trainable_state
from tests.methods.cases import CASES, SPLIT, in_evaluation, in_training, requests, spec_of, training_batch

pytestmark = pytest.mark.parametrize("case", CASES)


def _scores(method: Method, batch: Batch) -> list[Tensor]:
    with torch.no_grad():
        return [answer["sem_seg"] for answer in method.predict(batch)]


def _scores_of(method: Method, names: Sequence[str]) -> list[Tensor]:
    method.set_classes(names)
    return _scores(method, requests())


def _same(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def _state(method: Method) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in method.state_dict().items()}


def test_losses_are_finite_scalars_by_name(case: str) -> None:
    losses = in_training(case).losses(training_batch())
    assert {name: value.ndim for name, value in losses.items()} == dict.fromkeys(losses, 0)
    assert all(torch.isfinite(value) for value in losses.values())


def test_only_what_has_a_training_budget_has_losses(case: str) -> None:
    method = in_training(case)
    is_trained = spec_of(case).budget.iterations > 0
    assert bool(method.losses(training_batch())) == is_trained
    assert any(parameter.requires_grad for parameter in method.parameters()) == is_trained


def test_every_trainable_parameter_learns_and_no_frozen_one_does(case: str) -> None:
    method = in_training(case)
    for loss in method.losses(training_batch()).values():
        loss.backward(retain_graph=True)
    learns = {name: parameter.grad is not None for name, parameter in method.named_parameters()}
    assert learns == {name: parameter.requires_grad for name, parameter in method.named_parameters()}


def test_frozen_parts_stay_in_eval_mode(case: str) -> None:
    method = in_training(case).eval().train()
    parts = [part for part in method.modules() if not isinstance(part, Method)]
    frozen = [part for part in parts if {parameter.requires_grad for parameter in part.parameters()} == {False}]
    assert not [type(part).__name__ for part in frozen if part.training]
    assert method.training


def test_frozen_parameters_stay_out_of_the_checkpoint(case: str) -> None:
    method = in_training(case)
    frozen = {name for name, parameter in method.named_parameters() if not parameter.requires_grad}
    assert not frozen & get_trainable_state(method).keys()


def test_training_changes_no_frozen_tensor(case: str) -> None:
    method = in_training(case)
    before, kept = _state(method), get_trainable_state(method).keys()
    method.losses(training_batch())
    after = method.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items() if name not in kept)


def test_losses_repeat_at_the_same_moment_whatever_the_global_stream(case: str) -> None:
    first, second = in_training(case), in_training(case)
    seed_globals("one stream")
    ours = first.losses(training_batch())
    seed_globals("another stream")
    theirs = second.losses(training_batch())
    assert ours.keys() == theirs.keys()
    assert _same(list(ours.values()), list(theirs.values()))


def test_every_sample_is_answered_in_order_at_the_size_it_asks_for(case: str) -> None:
    method, batch = in_evaluation(case), requests()
    expected = [(len(SPLIT.classes), sample["height"], sample["width"]) for sample in batch]
    together = _scores(method, batch)
    assert [tuple(scores.shape) for scores in together] == expected
    assert all(torch.isfinite(scores).all() for scores in together)
    alone = [_scores(method, [sample])[0] for sample in batch]
    assert all(torch.allclose(one, other, atol=1e-3) for one, other in zip(together, alone, strict=True))


def test_predictions_repeat_and_leave_no_trace(case: str) -> None:
    method = in_evaluation(case)
    before = _state(method)
    seed_globals("one stream")
    first = _scores(method, requests())
    seed_globals("another stream")
    assert _same(first, _scores(method, requests()))
    assert before.keys() == method.state_dict().keys()
    assert _same(list(before.values()), list(method.state_dict().values()))


def test_set_classes_decides_how_many_classes_are_scored(case: str) -> None:
    method = in_evaluation(case)
    assert [len(scores) for scores in _scores_of(method, SPLIT.classes[:3])] == [3, 3]
    assert [len(scores) for scores in _scores_of(method, ("ball", "a thing nobody named before"))] == [2, 2]


def test_set_classes_leaves_nothing_of_an_earlier_vocabulary(case: str) -> None:
    method = in_evaluation(case)
    first = _scores_of(method, SPLIT.classes)
    assert _same(first, _scores_of(method, SPLIT.classes))
    _scores_of(method, SPLIT.seen)
    assert _same(first, _scores_of(method, SPLIT.classes))


def test_forward_only_chooses(case: str) -> None:
    trained, scored = in_training(case), in_evaluation(case)
    with torch.no_grad():
        losses, predictions = trained(training_batch()), scored(requests())
    assert losses.keys() == in_training(case).losses(training_batch()).keys()
    assert _same([answer["sem_seg"] for answer in predictions], _scores(scored, requests()))


def test_inputs_are_not_edited_in_place(case: str) -> None:
    labelled, asked = training_batch(), requests()
    in_training(case).losses(labelled)
    _scores(in_evaluation(case), asked)
    for sample, original in zip([*labelled, *asked], [*training_batch(), *requests()], strict=True):
        assert sample.keys() == original.keys()
        assert torch.equal(sample["image"], original["image"])
        assert "sem_seg" not in sample or torch.equal(sample["sem_seg"], original["sem_seg"])
