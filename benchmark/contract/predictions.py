"""Rules about what `predict` returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from benchmark.contract.comparison import (
    copy_state,
    find_difference,
    get_state_versions,
    get_versions,
    list_changes,
    predict,
)
from benchmark.contract.culprit import find_culprit, locate_function
from benchmark.contract.losses import find_used_generators, locate_random_draw
from benchmark.contract.rule import BrokenRuleError, Rule
from benchmark.contract.settings import refuse_new_settings
from benchmark.contract.subject import Subject
from benchmark.core.method import Method
from benchmark.core.method_outputs import check_predictions
from benchmark.core.seeding import seed_globals
from benchmark.core.types import Batch

NEIGHBOR_TOLERANCE = 1e-3
"""Accepted difference of a score computed in a batch and alone: kernels round differently by batch size."""


def _check_shapes(subject: Subject) -> None:
    method, batch = subject.as_built(), subject.make_prediction_batch()
    predictions = check_predictions(subject.predictions, batch, method)
    place = locate_function(method, "predict")
    for prediction, sample in zip(predictions, batch, strict=True):
        scores = prediction["sem_seg"]
        if not torch.isfinite(scores).all():
            share = 100 * float((~torch.isfinite(scores)).double().mean())
            raise BrokenRuleError(
                f"{share:.3g} % of the scores of image {sample['image_id']!r} are nan or infinite: return finite "
                "scores, such as a large negative number in place of -inf",
                place,
            )


def _check_neighbors(subject: Subject) -> None:
    method, together = subject.in_evaluation(), subject.scores
    for index, sample in enumerate(subject.make_prediction_batch()):
        alone = predict(method, [sample])[0]
        if not torch.allclose(together[index], alone, atol=NEIGHBOR_TOLERANCE):
            raise BrokenRuleError(
                f"image {sample['image_id']!r} gets other scores alone than in a batch of {len(together)} "
                f"({find_difference([together[index]], [alone])}): predict each image by itself (predict_each), and "
                "use no statistics over a batch",
                locate_function(method, "predict"),
            )


def _check_repetition(subject: Subject) -> None:
    method = subject.in_evaluation()
    seed_globals("one stream")
    first = predict(method, subject.make_prediction_batch())
    others = list[list[Tensor]]()
    used = find_used_generators(lambda: others.append(predict(method, subject.make_prediction_batch())))
    difference = find_difference(first, others[0])
    if difference or used:
        seen = (
            f"the same images get other scores the second time ({difference})"
            if difference
            else f"predict draws from the global generator of {used}, or seeds it"
        )
        raise BrokenRuleError(
            f"{seen}: draw nothing at random, or only with self.step_context.generator(...), and remember nothing",
            locate_random_draw(subject, subject.in_evaluation(), subject.make_prediction_batch()),
        )
    _check_memory(subject, first)


def _check_memory(subject: Subject, expected: list[Tensor]) -> None:
    """Predict after another batch: a method that remembers the last batch predicts differently."""
    method = subject.in_evaluation()
    predict(method, subject.make_prediction_batch(name="other requests"))
    difference = find_difference(expected, predict(method, subject.make_prediction_batch()))
    if difference:
        raise BrokenRuleError(
            f"images get other scores after another batch was predicted ({difference}): remember nothing from batch "
            "to batch",
            locate_function(method, "predict"),
        )


def _check_side_effects(subject: Subject) -> None:
    method = subject.in_evaluation()
    before = copy_state(method)
    with torch.no_grad():
        refuse_new_settings(subject, method, lambda: method.predict(subject.make_prediction_batch()))
    changed = list_changes(before, method)
    if changed:
        fresh, batch = subject.in_evaluation(), subject.make_prediction_batch()
        place = find_culprit(
            lambda: predict(fresh, batch), files=subject.files, observe=lambda: get_state_versions(fresh)
        )
        raise BrokenRuleError(
            f"predict changes {', '.join(map(repr, changed[:3]))}: cache nothing in parameters or buffers",
            place or locate_function(method, "predict"),
        )


def _check_samples(subject: Subject) -> None:
    _refuse_modified(subject, subject.in_training, subject.make_training_batch)
    _refuse_modified(subject, subject.in_evaluation, subject.make_prediction_batch)


def _refuse_modified(subject: Subject, get_method: Callable[[], Method], make_batch: Callable[[], Batch]) -> None:
    method, batch = get_method(), make_batch()
    before = _describe_samples(batch)
    with torch.set_grad_enabled(method.training):
        method(batch)
    if _describe_samples(batch) == before:
        return
    step, fresh = ("losses" if method.training else "predict"), make_batch()
    with torch.set_grad_enabled(method.training):
        place = find_culprit(lambda: get_method()(fresh), files=subject.files, observe=lambda: _describe_samples(fresh))
    raise BrokenRuleError(
        f"{step} modifies its samples: work on copies, such as sample['image'] / 255 in place of div_, and "
        "dict(sample) before setting a key",
        place or locate_function(method, step),
    )


def _describe_samples(batch: Batch) -> object:
    return [(get_versions(fields), _drop_tensors(fields)) for fields in map(dict, batch)]


def _drop_tensors(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if not isinstance(value, Tensor)}


def _check_determinism(subject: Subject) -> None:
    scores = []
    for method in (subject.as_built(), subject.build(seed=1)):
        method.set_classes(subject.split.classes)
        scores.append(predict(method.eval(), subject.make_prediction_batch()))
    difference = find_difference(*scores)
    if difference:
        raise BrokenRuleError(
            f"traits say is_deterministic, and seeds 0 and 1 give different scores ({difference}): draw nothing in "
            "build, or remove is_deterministic",
            locate_function(method, "predict"),
        )


def _require_determinism(subject: Subject) -> str:
    return "" if subject.setup.recipe.traits.is_deterministic else "traits do not say is_deterministic"


VALUES_SENTENCE = (
    'Each "sem_seg" is (K, height, width), the height and width that the sample requests, and finite, for the K '
    "classes last given to `set_classes`."
)
UNMODIFIED_SENTENCE = "The samples, all parameters and all frozen tensors stay unmodified."
INDEPENDENCE_SENTENCE = (
    "A prediction depends on the weights, the vocabulary and the sample only: not on the other samples of the batch, "
    "on earlier batches, or on the global random state."
)
RULES = (
    Rule("prediction-values", VALUES_SENTENCE, _check_shapes, needs=("nothing-overridden",)),
    Rule(
        "samples-unmodified",
        UNMODIFIED_SENTENCE,
        _check_samples,
        needs=("loss-values", "prediction-values"),
    ),
    Rule("predictions-repeat", INDEPENDENCE_SENTENCE, _check_repetition, needs=("samples-unmodified",)),
    Rule("no-neighbors", INDEPENDENCE_SENTENCE, _check_neighbors, needs=("predictions-repeat",)),
    Rule(
        "no-side-effects",
        "Predicting changes neither the samples nor any parameter or buffer.",
        _check_side_effects,
        needs=("prediction-values",),
    ),
    Rule(
        "deterministic",
        "Whether a run without training draws nothing",
        _check_determinism,
        find_exemption=_require_determinism,
        needs=("predictions-repeat",),
    ),
)
