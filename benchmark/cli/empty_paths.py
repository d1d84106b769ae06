"""Paths that are given as empty texts, as by an unset variable of a script; `Path("")` would be the current folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

PATH_METAVARS = ("DIR", "FILE")
"""What the help calls the value of an option that is a path, or several, but is kept as text."""


def find_command(group: Any, words: Sequence[str]) -> tuple[Any, list[str]]:
    """Return the command that words begin with, which may be in groups within the group, and the words behind it."""
    command, rest = group, list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def refuse_empty_paths(command: Any, words: Sequence[str]) -> None:
    """Check that no path among the words behind a command is empty.

    Args:
        command: Command or group as typer made it.
        words: Words that stand behind its name.

    Raises:
        ValueError: A path is empty; the message names its option or argument.
    """
    options = {name: parameter for parameter in command.params for name in parameter.opts}
    for index, word in enumerate(words):
        before = words[index - 1] if index and not word else ""
        name = word.removesuffix("=") if word.endswith("=") else before
        if name in options and _is_path(command, options[name]):
            raise ValueError(f"{name} is '': give a path, or leave the option out")
        if not word and before not in options:
            _refuse_argument(command)


def _refuse_argument(command: Any) -> None:
    """Raise an error if a command has an argument that is a path."""
    for parameter in command.params:
        if parameter.param_type_name == "argument" and _is_path(command, parameter):
            raise ValueError(f"{parameter.metavar or parameter.name.upper()} is '': give a path")


def _is_path(command: Any, parameter: Any) -> bool:
    hint = get_type_hints(command.callback).get(parameter.name)
    return Path in (hint, *get_args(hint)) or parameter.metavar in PATH_METAVARS
