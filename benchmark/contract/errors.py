"""Errors within a check as broken rules: type, message, and the line of the method."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.contract.rule import BrokenRuleError
from benchmark.contract.subject import Subject
from benchmark.core.method_outputs import MethodOutputError
from benchmark.store.exceptions import explain_exception, locate_exception


def describe_error(error: BaseException, subject: Subject) -> BrokenRuleError:
    """Return an error of a method as a broken rule, with a place in the files of the method."""
    if isinstance(error, BrokenRuleError):
        return error
    failure = explain_exception(error, method_files=subject.files)
    kind = "" if isinstance(error, MethodOutputError) else f"{failure.kind}: "
    own = getattr(error, "place", "") or locate_exception(error, subject.files)
    names = sorted(file.name for file in subject.files)
    return BrokenRuleError(f"{kind}{failure.message}", own or (names[0] if len(names) == 1 else ""))


@contextmanager
def add_circumstances(text: str, subject: Subject, *, advice: str = "") -> Iterator[None]:
    """Let errors of a block say under which circumstances they were raised.

    Args:
        text: Circumstances, such as "for a batch without labels".
        subject: Method under test.
        advice: What to do about an output that breaks the contract.

    Raises:
        BrokenRuleError: The block raised an error.
    """
    try:
        yield
    except Exception as error:
        broken = describe_error(error, subject)
        end = f": {advice}" if advice and isinstance(error, MethodOutputError) else ""
        raise BrokenRuleError(f"{broken} {text}{end}", broken.place) from error
