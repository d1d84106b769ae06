"""Settings of torch for the whole process, which no step of a method may leave changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmark.contract.culprit import find_culprit, locate_function
from benchmark.contract.rule import BrokenRuleError
from benchmark.contract.subject import Subject
from benchmark.core.method import Method


def refuse_new_settings(subject: Subject, method: Method, work: Callable[[], object]) -> None:
    """Call a step of a method and check that it leaves the settings of torch as they are.

    Raises:
        BrokenRuleError: A setting is another one than before; the line that changes it is named.
    """
    before = _get_settings()
    work()
    changed = [name for name, value in _get_settings().items() if before[name] != value]
    _restore_settings(before)
    if changed:
        place = find_culprit(work, files=subject.files, observe=_get_settings)
        _restore_settings(before)
        step = "losses" if method.training else "predict"
        raise BrokenRuleError(
            f"{step} calls torch.{changed[0]}, which stays in force for the whole process: restore it, or use a block "
            "such as with torch.enable_grad():",
            place or locate_function(method, step),
        )


def _get_settings() -> dict[str, Any]:
    return {"set_grad_enabled": torch.is_grad_enabled(), "set_default_dtype": torch.get_default_dtype()}


def _restore_settings(settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        getattr(torch, name)(value)
