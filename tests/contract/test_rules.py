"""Each fault breaks the rule that it should, and the sentence says what was seen and on which line."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from benchmark.contract.check import check_variant, make_subjects
from benchmark.contract.rule import Rule, RuleOutcome, RuleState
from benchmark.contract.rules import RULES
from benchmark.core.method import Method, Recipe, Traits
from benchmark.planning.registry import load_recipe

FILE = Path(__file__).with_name("faulty_method.py")
LINES = FILE.read_text().splitlines()

BROKEN = [
    ("unseen", "build", "split.unseen holds names of unseen classes", 'len("".join(split.unseen))'),
    ("no method", "build", "build returned None .*expected a Method", ""),
    ("split file", "own-sources", "opens toybox.yaml, which holds the unseen names", "path.read_text()"),
    ("load_split", "own-sources", "opens toybox.yaml", "importlib.import_module"),
    ("load_split", "unseen-names", "the unseen classes have other names: loss 'loss' is", "def losses"),
    ("forward", "nothing-overridden", "forward is overridden: remove it", "def forward"),
    ("train", "nothing-overridden", "train is overridden: remove it", "def train"),
    ("own error", "loss-values", "RuntimeError: my own bug", "raise RuntimeError"),
    ("vector", "loss-values", r"loss 'loss' has shape \(2,\), expected a scalar", "def losses"),
    ("detached", "loss-values", "no loss has a gradient", "def losses"),
    ("nan", "loss-values", "loss is not finite", "def losses"),
    ("none", "loss-values", "returned None", "def losses"),
    ("no losses", "loss-values", "returned no losses", "def losses"),
    ("unlabeled", "few-labels", "not finite .*a batch with an image without labels", "def losses"),
    ("frozen", "trainable-if-trained", "iterations is 20, and no parameter requires gradients", "def __init__"),
    ("unused", "parameters-learn", "no loss depends on 'unused.weight', 'unused.bias'", "self.unused = "),
    ("one class", "few-labels", "not finite .*a batch with the class 'grass' only: skip classes", "def losses"),
    ("failing initialize", "initialize", "RuntimeError: nothing found", 'RuntimeError("nothing found")'),
    ("initialized attribute", "resume", "does not call initialize again: keep what it finds in a buffer", "initialize"),
    ("lazy parameter", "resume", "'lazy' is in the checkpoint only.*the optimizer does not train it", "def losses"),
    ("exit", "loss-values", "SystemExit: .*bye", 'sys.exit("bye")'),
    ("late error", "loss-values", "RuntimeError: only late .in iteration 19 of 20", 'RuntimeError("only late")'),
    ("backward", "loss-values", "losses calls backward: return the losses", "loss.backward("),
    ("step", "frozen-unchanged", "losses changes 'linear.weight', which the optimizer trains", "mul_(0.5)"),
    ("seed", "own-randomness", "from the global generator of torch, or seeds it", "torch.manual_seed(0)"),
    ("no seed", "own-randomness", "other losses under equal conditions .*no seed controls", "def losses"),
    ("other every time", "build", "built with one seed have different values of 'linear.weight'", "def build"),
    ("gradients on", "no-side-effects", "predict calls torch.set_grad_enabled", "torch.set_grad_enabled(True)"),
    ("seeded prediction", "predictions-repeat", "global generator of torch, or seeds it", "torch.manual_seed(0)"),
    ("order", "names-in-order", "in reverse order do not give the same maps", "def set_classes"),
    ("same length", "names-in-order", "keep nothing of another one with as many names", "def set_classes"),
    ("thaw", "frozen-unchanged", "losses changes 'frozen.weight'", "self.frozen.weight.mul_"),
    ("initialize", "initialize", "initialize changes 'frozen.weight'", "self.frozen.weight.fill_"),
    ("late parameter", "resume", "'lazy' is in the checkpoint only.*the optimizer does not train it", "def losses"),
    ("attribute", "resume", "a resumed method has other losses .*keep what .*in a buffer", "def losses"),
    ("torch", "own-randomness", "drawn from the one of torch: draw with generator=", "torch.rand"),
    ("python", "own-randomness", "drawn from the one of random: draw with generator=", "random.random()"),
    ("numpy", "own-randomness", "drawn from the one of numpy.random: draw with generator=", "np.random.rand()"),
    ("labels in place", "samples-unmodified", "losses modifies its samples: work on copies", '["sem_seg"][0, 0] = 255'),
    ("new key", "samples-unmodified", "losses modifies its samples", '["file_name"] = ""'),
    ("in place", "samples-unmodified", "predict modifies its samples", "add_(1)"),
    ("size", "prediction-values", r"height and width \(32, 48\), expected \(20, 30\)", "def predict"),
    ("infinite", "prediction-values", "100 % of the scores of image 'wide' are nan or infinite", "def predict"),
    ("no sem_seg", "prediction-values", "has no 'sem_seg' .its keys: 'scores'", "def predict"),
    ("neighbors", "no-neighbors", "other scores alone than in a batch of 2", "def predict"),
    ("random", "predictions-repeat", "other scores the second time", "torch.rand"),
    ("remember", "predictions-repeat", "other scores the second time", "def predict"),
    ("state", "no-side-effects", "predict changes 'calls': cache nothing", "self.get_buffer"),
    ("vocabulary", "vocabulary-size", "with 3 names, predict returned 64 maps", "def predict"),
    ("leftover", "no-leftovers", "the same names give other scores after set_classes", "def set_classes"),
]


@cache
def _find_broken(variant: str) -> dict[str, RuleOutcome]:
    (subject,) = make_subjects(f"{FILE}/{variant}")
    outcomes = check_variant(subject)
    return {outcome.rule: outcome for outcome in outcomes if outcome.state is RuleState.BROKEN}


def _read_line(place: str) -> str:
    """Return the line of the faulty method that a place such as "faulty_method.py:30 (predict)" means."""
    name, _, number = place.partition(" ")[0].partition(":")
    return LINES[int(number) - 1] if name == FILE.name else place


@pytest.mark.parametrize("variant", ["no fault", "lock"])
def test_a_method_without_a_fault_breaks_nothing_even_if_it_cannot_be_copied(variant: str) -> None:
    assert _find_broken(variant) == {}


@pytest.mark.parametrize(("fault", "rule", "words", "line"), BROKEN)
def test_a_fault_is_reported_in_words_with_its_line(fault: str, rule: str, words: str, line: str) -> None:
    outcome = _find_broken(fault)[rule]
    assert re.search(words, outcome.reason)
    assert line in _read_line(outcome.place)


def test_a_method_that_loads_a_drawn_split_is_found() -> None:
    (subject,) = make_subjects(f"{FILE}/load_split", split="toybox@2-s0-00")
    broken = {outcome.rule: outcome for outcome in check_variant(subject) if outcome.state is RuleState.BROKEN}
    assert set(broken) == set(_find_broken("load_split"))
    assert "opens toybox.yaml" in broken["own-sources"].reason


def test_a_fault_breaks_no_other_rule() -> None:
    expected = {fault: {rule for other, rule, *_ in BROKEN if other == fault} for fault, *_ in BROKEN}
    assert {fault: set(_find_broken(fault)) for fault in expected} == expected


def test_every_variant_of_the_faulty_method_is_expected() -> None:
    assert {fault for fault, *_ in BROKEN} == set(load_recipe(str(FILE)).variants) - {"no fault", "lock"}


def test_every_rule_is_broken_by_some_fault() -> None:
    """Those that need another recipe or another loader are broken in `test_other_recipes` and `test_leaks`."""
    elsewhere = {"no-losses", "deterministic", "unknown-names", "frozen-modes", "unseen-labels", "unseen-pixels"}
    assert {rule.name for rule in RULES} == {rule for _, rule, *_ in BROKEN} | elsewhere


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_a_sentence_of_the_contract(rule: Rule) -> None:
    parts = [Method, Method.set_classes, Method.losses, Method.predict, Method.initialize, Recipe, Traits]
    text = " ".join(" ".join(str(part.__doc__) for part in parts).split())
    assert rule.sentence in text
