"""Rules about zero-shot learning: what a method must not know changes no bit of what it learns."""

from __future__ import annotations

from functools import lru_cache, partial

from benchmark.contract.comparison import find_difference, find_different_loss
from benchmark.contract.culprit import locate_function
from benchmark.contract.hidden_facts import make_training_data, permute_unseen, rename_unseen, swap_unseen_and_void
from benchmark.contract.rule import BrokenRuleError, Rule
from benchmark.contract.subject import Subject
from benchmark.contract.training import Learned
from benchmark.core.method import Supervision

KINDS_OF_CHANGE = {
    "unseen-names": rename_unseen,
    "unseen-labels": permute_unseen,
    "unseen-pixels": swap_unseen_and_void,
}
WHAT_CHANGED = {
    "unseen-names": "the unseen classes have other names",
    "unseen-labels": "the labels of unseen pixels are exchanged among unseen classes",
    "unseen-pixels": "unseen and void pixels are exchanged",
}


def describe_difference(first: Learned, second: Learned) -> str:
    """Return how two trainings differ, in words; empty if they are equal bit for bit."""
    for iteration, pair in enumerate(zip(first.losses, second.losses, strict=True)):
        difference = find_different_loss(*pair)
        if difference:
            return f"{difference} at iteration {iteration}"
    difference = find_difference(first.scores, second.scores)
    return f"predictions differ {difference}" if difference else ""


def _check(name: str, subject: Subject) -> None:
    leak = _find_leak(subject, name) if _leaks_at_all(subject) else ""
    if leak:
        _require_repeatable(subject)
        method = subject.in_training()
        raise BrokenRuleError(
            f"training depends on it that {WHAT_CHANGED[name]}: {leak}. Use what build and losses are given only "
            "(split.seen, sample['sem_seg']), or declare the supervision that is used",
            locate_function(method, "losses"),
        )


def _find_leak(subject: Subject, *names: str) -> str:
    """Return how a training on data with changes differs from one without, in words; empty if it does not."""
    data = make_training_data(subject.split)
    for name in names:
        data = KINDS_OF_CHANGE[name](data)
    return describe_difference(subject.learned, subject.learn(data))


@lru_cache(maxsize=1)  # all rules of one subject are checked before those of the next
def _leaks_at_all(subject: Subject) -> bool:
    """Return whether all changes at once make a difference: if they do not, no change needs a training of its own."""
    return bool(_find_leak(subject, *(name for name in KINDS_OF_CHANGE if not _find_permission(name, subject))))


def _require_repeatable(subject: Subject) -> None:
    """Check that two trainings under equal conditions are equal, without which a difference says nothing of leaks."""
    difference = describe_difference(subject.learned, subject.learn(make_training_data(subject.split)))
    if difference:
        raise BrokenRuleError(
            f"leaks cannot be told, as two trainings under equal conditions differ: {difference}. Use nothing that no "
            "seed controls",
            locate_function(subject.in_training(), "losses"),
        )


def _find_permission(name: str, subject: Subject) -> str:
    kind = subject.setup.recipe.traits.supervision
    if not subject.split.unseen:
        return f"split {subject.split.name} has no unseen class"
    allowed = {"unseen-names": kind.includes_unseen_names}.get(name, kind is Supervision.TAGS)
    return f"supervision is {kind.value}, which includes it" if allowed else ""


SENTENCE = (
    "Training of a method without supervision or with seen masks depends neither on the names and masks of unseen "
    "classes nor on the difference between unseen and void pixels."
)
NEEDS = ("loss-values", "own-randomness", "prediction-values")
RULES = tuple(
    Rule(name, SENTENCE, partial(_check, name), find_exemption=partial(_find_permission, name), needs=NEEDS)
    for name in KINDS_OF_CHANGE
)
