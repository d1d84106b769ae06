"""Contract of every method and variant; a file in methods/ is tested because it is in that folder.

Each failure says which rule of `Method` is broken and how a method usually keeps it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.core.method import Method
from benchmark.core.seeding import seed_globals
from benchmark.core.types import Batch
from benchmark.engine.checkpoint import get_trainable_state
from tests.methods.cases import CASES, SPLIT, in_evaluation, in_training, prediction_batch, spec_of, training_batch

pytestmark = pytest.mark.parametrize("case", CASES)

GLOBAL_RANDOMNESS = "random draws must come from `self.step_context.generator(...)`, not from the global generators"
NO_SIDE_EFFECTS = "`predict` must not change the state of the method: cache nothing in parameters or buffers"


def _predict(method: Method, batch: Batch) -> list[Tensor]:
    with torch.no_grad():
        return [prediction["sem_seg"] for prediction in method.predict(batch)]


def _predict_classes(method: Method, names: Sequence[str]) -> list[Tensor]:
    method.set_classes(names)
    return _predict(method, prediction_batch())


def _are_equal(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def _list_changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> list[str]:
    return [name for name, value in before.items() if not torch.equal(value, after[name])]


def _copy_state(method: Method) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in method.state_dict().items()}


def test_losses_are_finite_scalars_by_name(case: str) -> None:
    losses = in_training(case).losses(training_batch())
    dimensions = {name: value.ndim for name, value in losses.items()}
    assert dimensions == dict.fromkeys(losses, 0), "each loss must be a scalar tensor of shape ()"
    infinite = [name for name, value in losses.items() if not torch.isfinite(value)]
    assert infinite == [], "losses must be finite, also if only some pixels are labeled"


def test_exactly_the_methods_with_a_training_budget_have_losses(case: str) -> None:
    method = in_training(case)
    is_trained = spec_of(case).budget.iterations > 0
    has_losses = bool(method.losses(training_batch()))
    assert has_losses == is_trained, "`losses` must return {} if budget.iterations is 0, and losses otherwise"
    is_trainable = any(parameter.requires_grad for parameter in method.parameters())
    assert is_trainable == is_trained, "parameters must require gradients exactly if budget.iterations is not 0"


def test_every_trainable_parameter_learns_and_no_frozen_one_does(case: str) -> None:
    method = in_training(case)
    for loss in method.losses(training_batch()).values():
        loss.backward(retain_graph=True)
    has_gradient = {name: parameter.grad is not None for name, parameter in method.named_parameters()}
    expected = {name: parameter.requires_grad for name, parameter in method.named_parameters()}
    assert has_gradient == expected, "every trainable parameter must influence a loss; freeze or remove the others"


def test_frozen_parts_stay_in_eval_mode(case: str) -> None:
    method = in_training(case).eval().train()
    parts = [part for part in method.modules() if not isinstance(part, Method)]
    frozen = [part for part in parts if {parameter.requires_grad for parameter in part.parameters()} == {False}]
    in_training_mode = [type(part).__name__ for part in frozen if part.training]
    assert in_training_mode == [], "frozen modules must stay in eval mode: do not override `train`"
    assert method.training, "the method itself must be in training mode after `train()`"


def test_frozen_parameters_are_not_in_the_checkpoint(case: str) -> None:
    method = in_training(case)
    frozen = {name for name, parameter in method.named_parameters() if not parameter.requires_grad}
    assert not frozen & get_trainable_state(method).keys(), "frozen parameters must not be in the checkpoint"


def test_training_changes_no_frozen_tensor(case: str) -> None:
    method = in_training(case)
    before, saved = _copy_state(method), get_trainable_state(method).keys()
    method.losses(training_batch())
    changes = _list_changes(before, method.state_dict())
    assert set(changes) <= saved, "`losses` must not change frozen tensors: a resumed run would lose the change"


def test_losses_repeat_at_the_same_iteration_whatever_the_global_random_state(case: str) -> None:
    first, second = in_training(case), in_training(case)
    seed_globals("one stream")
    losses = first.losses(training_batch())
    seed_globals("another stream")
    repeated = second.losses(training_batch())
    assert losses.keys() == repeated.keys()
    assert _are_equal(list(losses.values()), list(repeated.values())), f"losses differ: {GLOBAL_RANDOMNESS}"


def test_there_is_one_finite_prediction_per_sample_at_the_requested_size(case: str) -> None:
    method, batch = in_evaluation(case), prediction_batch()
    expected = [(len(SPLIT.classes), sample["height"], sample["width"]) for sample in batch]
    predictions = _predict(method, batch)
    shapes = [tuple(logits.shape) for logits in predictions]
    assert shapes == expected, "`predict` must return (K, height, width) for each sample, in the order of the batch"
    are_finite = all(torch.isfinite(logits).all() for logits in predictions)
    assert are_finite, "predictions must be finite"


def test_a_prediction_does_not_depend_on_the_other_samples_of_the_batch(case: str) -> None:
    method, batch = in_evaluation(case), prediction_batch()
    together = _predict(method, batch)
    alone = [_predict(method, [sample])[0] for sample in batch]
    differing = [
        sample["image_id"]
        for sample, a, b in zip(batch, together, alone, strict=True)
        if not torch.allclose(a, b, atol=1e-3)
    ]
    assert differing == [], "a prediction must not depend on the other samples: use `predict_each`"


def test_predictions_repeat_and_have_no_side_effects(case: str) -> None:
    method = in_evaluation(case)
    before = _copy_state(method)
    seed_globals("one stream")
    first = _predict(method, prediction_batch())
    seed_globals("another stream")
    second = _predict(method, prediction_batch())
    assert _are_equal(first, second), f"predictions differ: {GLOBAL_RANDOMNESS}"
    assert before.keys() == method.state_dict().keys(), NO_SIDE_EFFECTS
    assert _list_changes(before, method.state_dict()) == [], NO_SIDE_EFFECTS


def test_set_classes_determines_the_number_of_predicted_classes(case: str) -> None:
    method, rule = in_evaluation(case), "`predict` must score exactly the classes last given to `set_classes`"
    assert [len(logits) for logits in _predict_classes(method, SPLIT.classes[:3])] == [3, 3], rule
    assert [len(logits) for logits in _predict_classes(method, ("ball", "a thing without a name"))] == [2, 2], rule


def test_set_classes_leaves_nothing_of_an_earlier_vocabulary(case: str) -> None:
    method, rule = in_evaluation(case), "predictions must depend on the current vocabulary only"
    first = _predict_classes(method, SPLIT.classes)
    assert _are_equal(first, _predict_classes(method, SPLIT.classes)), rule
    _predict_classes(method, SPLIT.seen)
    assert _are_equal(first, _predict_classes(method, SPLIT.classes)), rule


def test_forward_only_chooses_between_losses_and_predict(case: str) -> None:
    trained, evaluated = in_training(case), in_evaluation(case)
    with torch.no_grad():
        losses, predictions = trained(training_batch()), evaluated(prediction_batch())
    rule = "`forward` must call `losses` or `predict`: do not override it"
    assert losses.keys() == in_training(case).losses(training_batch()).keys(), rule
    called = [prediction["sem_seg"] for prediction in predictions]
    assert _are_equal(called, _predict(evaluated, prediction_batch())), rule


def test_inputs_are_not_modified(case: str) -> None:
    labeled, unlabeled = training_batch(), prediction_batch()
    in_training(case).losses(labeled)
    _predict(in_evaluation(case), unlabeled)
    rule = "`losses` and `predict` must not modify their samples in place"
    for sample, original in zip([*labeled, *unlabeled], [*training_batch(), *prediction_batch()], strict=True):
        assert sample.keys() == original.keys(), rule
        assert torch.equal(sample["image"], original["image"]), rule
        assert "sem_seg" not in sample or torch.equal(sample["sem_seg"], original["sem_seg"]), rule
