"""Rules about what `losses` returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from benchmark.contract.comparison import GENERATORS, find_different_loss, get_random_states
from benchmark.contract.culprit import find_culprit, locate_function
from benchmark.contract.errors import add_circumstances
from benchmark.contract.point_samples import replace_labels
from benchmark.contract.rule import BrokenRuleError, Rule, require_training
from benchmark.contract.settings import refuse_new_settings
from benchmark.contract.subject import Subject
from benchmark.core.method import Method, Supervision
from benchmark.core.method_outputs import check_losses, describe_value
from benchmark.core.seeding import seed_globals
from benchmark.core.types import Batch, Losses, get_ignore_label

UNLABELED_ADVICE = "average over the labeled pixels of the whole batch, and return a loss of 0 if there are none"
CLASS_ADVICE = "skip classes without a pixel in the batch, since a mean over nothing is nan"


def _check_values(subject: Subject) -> None:
    method = subject.in_training()
    returned = list[object]()
    refuse_new_settings(subject, method, lambda: returned.append(method.losses(subject.make_training_batch())))
    check_losses(returned[0], method, iteration=3)
    _refuse_backward(subject, method)
    for moment in subject.list_moments():
        method.step_context = moment
        with add_circumstances(f"(in iteration {moment.iteration} of {moment.iterations})", subject):
            check_losses(method.losses(subject.make_training_batch()), method, iteration=moment.iteration)


def _check_few_labels(subject: Subject) -> None:
    method = subject.in_training()
    for text, advice, batch in _list_partial_batches(subject):
        with add_circumstances(f"for {text}", subject, advice=advice):
            check_losses(method.losses(batch), method, iteration=method.step_context.iteration)


def _refuse_backward(subject: Subject, method: Method) -> None:
    """Check that computing losses left no gradients."""
    if any(parameter.grad is not None for parameter in method.parameters()):
        fresh, batch = subject.in_training(), subject.make_training_batch()
        place = find_culprit(
            lambda: fresh.losses(batch),
            files=subject.files,
            observe=lambda: [parameter.grad is not None for parameter in fresh.parameters()],
        )
        raise BrokenRuleError(
            "losses calls backward: return the losses, and leave backward and the optimizer to the engine",
            place or locate_function(method, "losses"),
        )


def _list_partial_batches(subject: Subject) -> Iterator[tuple[str, str, Batch]]:
    """Yield batches in which labels are missing, each with a description and what to do if it is not handled."""
    ignore, last = get_ignore_label(len(subject.split.seen)), len(subject.split.seen) - 1
    half = subject.make_training_batch()
    replace_labels(half[1], torch.full_like(half[1]["sem_seg"], ignore))  # it shows nothing but unseen classes
    yield "a batch with an image without labels", UNLABELED_ADVICE, half
    for label in sorted({0, last}):
        name = subject.split.seen[label]
        yield f"a batch with the class {name!r} only", CLASS_ADVICE, _fill_labels(subject, label)
    yield "a batch without any labeled pixel", UNLABELED_ADVICE, _fill_labels(subject, ignore)


def _fill_labels(subject: Subject, label: int) -> Batch:
    """Return a batch in which every labeled pixel has one label."""
    batch, ignore = subject.make_training_batch(), get_ignore_label(len(subject.split.seen))
    for sample in batch:
        replace_labels(sample, sample["sem_seg"].masked_fill(sample["sem_seg"] != ignore, label))
    return batch


def _check_absence(subject: Subject) -> None:
    method = subject.in_training()
    losses = method.losses(subject.make_training_batch())
    if losses != {}:
        raise BrokenRuleError(
            f"budget.iterations is 0, and losses returned {describe_value(losses)}: return {{}}, or set iterations to "
            "train",
            locate_function(method, "losses"),
        )


def _check_trainability(subject: Subject) -> None:
    method, iterations = subject.in_training(), subject.setup.budget.iterations
    trainable = [name for name, parameter in method.named_parameters() if parameter.requires_grad]
    if trainable and subject.setup.recipe.traits.supervision is Supervision.NONE:
        raise BrokenRuleError(
            f"traits say Supervision.NONE, and {trainable[0]!r} is trained with the masks of seen classes: declare the "
            "supervision that losses uses, such as Supervision.SEEN_MASKS",
            locate_function(method, "losses"),
        )
    if bool(trainable) == bool(iterations):
        return
    problem = f"{trainable[0]!r} requires gradients" if trainable else "no parameter requires gradients"
    advice = "freeze it with requires_grad_(False)" if trainable else "make parameters trainable, or set iterations=0"
    raise BrokenRuleError(
        f"budget.iterations is {iterations}, and {problem}: {advice}", locate_function(method, "__init__")
    )


def _check_randomness(subject: Subject) -> None:
    losses = _compute_losses(subject, stream="one stream")
    difference = find_different_loss(losses, _compute_losses(subject, stream="one stream"))
    if difference:
        raise BrokenRuleError(
            f"the same iteration gives other losses under equal conditions ({difference}): use nothing that no seed "
            "controls, such as os.urandom or the time, and draw with generator=self.step_context.generator(...)",
            locate_function(subject.in_training(), "losses"),
        )
    method, batch, others = subject.in_training(), subject.make_training_batch(), list[Losses]()
    used = find_used_generators(lambda: others.append(method.losses(batch)))
    difference = find_different_loss(losses, others[0])
    if difference or used:
        raise BrokenRuleError(
            f"{_describe_use(difference, used)}: draw with generator=self.step_context.generator(...), and in place of "
            "nn.Dropout multiply by a mask that is drawn so",
            locate_random_draw(subject, subject.in_training(), subject.make_training_batch()),
        )


def _describe_use(difference: str, used: str) -> str:
    if not difference:
        return f"losses draws from the global generator of {used}, or seeds it"
    source = f", drawn from the one of {used}" if used else ""
    return f"the same iteration gives other losses after another use of the global generators ({difference}){source}"


def _compute_losses(subject: Subject, *, stream: str) -> Losses:
    method, batch = subject.in_training(), subject.make_training_batch()
    seed_globals(stream)
    return method.losses(batch)


def find_used_generators(work: Callable[[], object]) -> str:
    """Return the global generators whose state a function changes, in words; empty if there is none."""
    seed_globals("a stream for this call")  # not the one that the function may have seeded in an earlier call
    before = get_random_states()
    work()
    return " and ".join(name for name, a, b in zip(GENERATORS, before, get_random_states(), strict=True) if a != b)


def locate_random_draw(subject: Subject, method: Method, batch: Batch) -> str:
    """Return the line of a method's files that draws from a global generator, or else its function."""
    seed_globals("a stream for the search")  # not the one that the method may have seeded before
    place = find_culprit(lambda: method(batch), files=subject.files, observe=get_random_states)
    return place or locate_function(method, "losses" if method.training else "predict")


def _check_forward(subject: Subject) -> None:
    method = subject.in_training()
    if type(method).forward is not Method.forward:
        raise BrokenRuleError(
            "forward is overridden: remove it, and compute losses in losses and predictions in predict",
            locate_function(method, "forward"),
        )
    if type(method).train is not Method.train:
        raise BrokenRuleError(
            "train is overridden: remove it; frozen modules stay in eval mode without it",
            locate_function(method, "train"),
        )


def _require_no_training(subject: Subject) -> str:
    iterations = subject.setup.budget.iterations
    return f"budget.iterations is {iterations}" if iterations else ""


VALUES_SENTENCE = (
    "Each loss is a finite scalar of shape (), also if only some pixels or none are labeled, and already weighted."
)
OVERRIDES_SENTENCE = "Concrete methods define the three abstract methods and override no other concrete one."
RULES = (
    Rule("nothing-overridden", OVERRIDES_SENTENCE, _check_forward),
    Rule(
        "trainable-if-trained",
        "A parameter requires gradients if and only if the budget has iterations.",
        _check_trainability,
    ),
    Rule(
        "loss-values",
        VALUES_SENTENCE,
        _check_values,
        find_exemption=require_training,
        needs=("nothing-overridden", "trainable-if-trained"),
    ),
    Rule(
        "few-labels",
        VALUES_SENTENCE,
        _check_few_labels,
        find_exemption=require_training,
        needs=("loss-values",),
    ),
    Rule(
        "no-losses",
        "Scalar losses by name; an empty dict if and only if the budget has no iterations.",
        _check_absence,
        find_exemption=_require_no_training,
    ),
    Rule(
        "own-randomness",
        "Random draws come from `self.step_context.generator`, never from the global generators",
        _check_randomness,
        find_exemption=require_training,
        needs=("loss-values",),
    ),
)
