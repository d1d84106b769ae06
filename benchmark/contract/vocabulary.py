"""Rules about `set_classes`, the only thing that changes a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmark.contract.comparison import find_difference, predict
from benchmark.contract.culprit import locate_function
from benchmark.contract.predictions import VALUES_SENTENCE
from benchmark.contract.rule import BrokenRuleError, Rule
from benchmark.contract.subject import Subject
from benchmark.core.method import Method

ORDER_TOLERANCE = 0.02
"""Accepted difference of scores in another order of names, as a share of the largest; half precision is coarse."""


def _predict_classes(subject: Subject, method: Method, names: Sequence[str]) -> list[Tensor]:
    method.set_classes(names)
    return predict(method, subject.make_prediction_batch())


def _check_count(subject: Subject) -> None:
    method = subject.in_evaluation()
    names = subject.split.classes
    for vocabulary in (names[:3], names[-2:], names):
        for scores in _predict_classes(subject, method, vocabulary):
            if len(scores) != len(vocabulary):
                raise BrokenRuleError(
                    f"after set_classes with {len(vocabulary)} names, predict returned {len(scores)} maps of scores: "
                    "score exactly the classes last given to set_classes",
                    locate_function(method, "predict"),
                )


def _check_unknown_names(subject: Subject) -> None:
    method = subject.in_evaluation()
    vocabulary = (subject.split.classes[0], "a thing without a name")
    counts = [len(scores) for scores in _predict_classes(subject, method, vocabulary)]
    if counts != [2, 2]:
        raise BrokenRuleError(
            f"with a name that is not in the split, predict returned {counts[0]} maps of scores for 2 names: make the "
            "vocabulary from the given names",
            locate_function(method, "predict"),
        )


def _check_order(subject: Subject) -> None:
    method, names = subject.in_evaluation(), subject.split.classes
    for scores, reversed_scores in zip(subject.scores, _predict_classes(subject, method, names[::-1]), strict=True):
        size = max(1.0, float(scores.abs().max()))
        if not torch.allclose(scores.flip(0), reversed_scores, atol=ORDER_TOLERANCE * size):
            raise BrokenRuleError(
                "the same names in reverse order do not give the same maps in reverse order: make the vocabulary from "
                "the names in the order in which they are given, and keep nothing of another one with as many names",
                locate_function(method, "set_classes"),
            )


def _check_leftovers(subject: Subject) -> None:
    method, names = subject.in_evaluation(), subject.split.classes
    for other in (names, subject.split.seen, names[:2], names[::-1]):
        if other != names:
            _predict_classes(subject, method, other)
        difference = find_difference(subject.scores, _predict_classes(subject, method, names))
        if difference:
            kind = "reversed " if other == names[::-1] else ""
            raise BrokenRuleError(
                f"the same names give other scores after set_classes with {len(other)} {kind}names in between "
                f"({difference}): let set_classes replace everything that depends on names",
                locate_function(method, "set_classes"),
            )


def _find_fixed_vocabulary(subject: Subject) -> str:
    """Return why names that the split does not know need not work: a method has a table of names."""
    parts = [value for _, value in subject.setup.config]
    is_file = any(getattr(part, "kind", "") == "file" for part in parts)
    return "class embeddings come from a file, which knows its own names only" if is_file else ""


LEFTOVER_SENTENCE = (
    "Nothing else changes the vocabulary, and nothing of an earlier one may remain: the same names always give the "
    "same predictions."
)
RULES = (
    Rule(
        "vocabulary-size",
        VALUES_SENTENCE,
        _check_count,
        needs=("prediction-values",),
    ),
    Rule(
        "unknown-names",
        "Names may be unknown to the split.",
        _check_unknown_names,
        find_exemption=_find_fixed_vocabulary,
        needs=("vocabulary-size",),
    ),
    Rule("no-leftovers", LEFTOVER_SENTENCE, _check_leftovers, needs=("predictions-repeat",)),
    Rule(
        "names-in-order",
        "K class names in the order of the score maps",
        _check_order,
        needs=("vocabulary-size", "no-leftovers"),
    ),
)
