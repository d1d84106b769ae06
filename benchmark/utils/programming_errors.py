"""Errors of Python and its libraries about code, in the words of someone who writes a method file."""

from __future__ import annotations

import re
from enum import EnumType

from pydantic import PydanticUserError

from benchmark.utils.did_you_mean import find_near_name

_UNTYPED_FIELD = re.compile(r"`(\w+) = ")
_TYPE = re.compile(r"<class '([^']+)'>")


def reword_programming_error(error: BaseException) -> str:
    """Return what to change in the code that raised an error; empty if the error's own message says enough."""
    if isinstance(error, SystemExit):
        return (
            f"{_describe_exit(error)}: a method is imported and called, not run as a program; put a command line "
            "below: if __name__ == '__main__'"
        )
    if isinstance(error, PydanticUserError):
        return _reword_class_error(error)
    if isinstance(error, AttributeError):
        return _reword_attribute_error(error)
    return ""


def _describe_exit(error: SystemExit) -> str:
    if isinstance(error.code, str):
        return f"it ended the process with the message {' '.join(error.code.split())!r}"
    return f"it ended the process with exit code {error.code or 0}"


def _reword_class_error(error: PydanticUserError) -> str:
    """Return what is wrong with the fields of a Config."""
    if error.code == "model-field-missing-annotation":
        name = _UNTYPED_FIELD.search(error.message)
        field = name.group(1) if name else "FIELD"
        return f"field {field!r} of a Config has no type: write {field}: int = ..., or ClassVar if it is no setting"
    if error.code == "schema-for-unknown-type":
        kind = _TYPE.search(error.message)
        return (
            f"a field of a Config has the type {kind.group(1) if kind else 'of an object'}, which a record cannot "
            "hold: fields are numbers, texts, true or false, lists, tables and other Configs"
        )
    return ""


def _reword_attribute_error(error: AttributeError) -> str:
    if "before Module.__init__() call" in str(error):
        return f"{error}: begin __init__ with super().__init__()"
    if isinstance(error.obj, EnumType) and isinstance(error.name, str):
        members = list(error.obj.__members__)
        near = find_near_name(error.name, members)
        hint = f"; did you mean {error.obj.__name__}.{near}?" if near else "."
        return f"no {error.obj.__name__}.{error.name}{hint} There are: {', '.join(members)}"
    return ""
