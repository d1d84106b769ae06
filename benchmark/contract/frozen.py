"""Changes of tensors that are not in checkpoints."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from benchmark.contract.comparison import get_versions
from benchmark.contract.culprit import find_culprit, locate_function
from benchmark.contract.rule import BrokenRuleError
from benchmark.contract.subject import Subject
from benchmark.core.method import Method
from benchmark.core.trainable_state import get_trainable_state


def copy_frozen(method: Method) -> dict[str, Tensor]:
    """Return copies of the tensors of the state dict that are not in checkpoints, by name."""
    return {name: value.clone() for name, value in _select_frozen(method).items()}


def refuse_changes(subject: Subject, before: dict[str, Tensor], method: Method, *, step: str) -> None:
    """Check that a step of a method changed no frozen tensor.

    Args:
        subject: Method under test.
        before: Frozen tensors before the step.
        method: Method after the step.
        step: Name of the step, "losses" or "initialize".

    Raises:
        BrokenRuleError: A frozen tensor is another one than before.
    """
    after = _select_frozen(method)
    changed = [name for name, value in before.items() if name not in after or not torch.equal(value, after[name])]
    if not changed:
        return
    fresh, batch = subject.in_training(), subject.make_training_batch()
    work = (lambda: fresh.losses(batch)) if step == "losses" else (lambda: fresh.initialize([batch]))
    place = find_culprit(work, files=subject.files, observe=lambda: get_versions(_select_frozen(fresh)))
    raise BrokenRuleError(
        f"{step} changes {list_names(changed)}, which is frozen and not in checkpoints, so a resumed run would lose "
        "the change: make it trainable, or a buffer of a module that trains",
        place or locate_function(method, step),
    )


def list_names(names: Iterable[str], *, shown: int = 3) -> str:
    """Return the first names in quotes, and how many more there are."""
    listed = [repr(name) for name in names]
    return ", ".join(listed[:shown]) + (f" and {len(listed) - shown} more" if len(listed) > shown else "")


def _select_frozen(method: Method) -> dict[str, Tensor]:
    saved = get_trainable_state(method).keys()
    return {name: value for name, value in method.state_dict().items() if name not in saved}
