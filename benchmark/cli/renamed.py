"""Former names of commands and options, answered with their current names, and invalid values in words of ours."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

RENAMED = {"--limit": "--max-images", "--part": "--subset", "--pictures": "--images", "sheet": "contact-sheet"}
"""Current name of a command or option by its former name."""
GLOBAL_OPTIONS = ("--runs", "--data")
"""Options that stand before the command."""


class RenamingGroup(TyperGroup):
    """Group of commands that answers a former name of a command or option with its current name."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the arguments begin with."""
        if args and RENAMED.get(args[0]) in self.commands:
            ctx.fail(_explain(args[0]))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Parse and run a command of this group."""
        try:
            return super().invoke(ctx)
        except Exception as error:  # NoSuchOption has no public name in all versions of typer
            option, context = str(getattr(error, "option_name", "")), getattr(error, "ctx", None)
            known = [name for parameter in getattr(context, "command", self).params for name in parameter.opts]
            if context is not None and RENAMED.get(option) in known:
                context.fail(_explain(option))
            if context is not None and option in GLOBAL_OPTIONS:
                program, _, command = context.command_path.partition(" ")
                context.fail(f"{option} stands before the command: {program} {option} DIR {command} ...")
            if context is not None and "unexpected extra argument" in str(getattr(error, "message", "")):
                _explain_extra(error, context)
            _reword(error)
            raise


def _reword(error: Any) -> None:
    """Replace the message about a value that pydantic refused; newer versions of typer pass its own on."""
    cause = error.__cause__
    if type(cause).__name__ == "ValidationError" and hasattr(error, "message"):
        from benchmark.utils.validation_errors import describe_first_error

        text = describe_first_error(cause)
        value = cause.errors()[0]["input"]
        error.message = f"{value!r}: {text[text.index('expected') :]}" if "expected" in text else text


def _explain_extra(error: Any, context: Any) -> None:
    """Add to the message about too many arguments what a command with one argument takes."""
    arguments = [parameter for parameter in context.command.params if parameter.param_type_name == "argument"]
    if len(arguments) == 1 and arguments[0].nargs == 1:
        rows = ", or list several as rows of a study" if context.info_name in ("plan", "run", "submit") else ""
        error.message += f": {context.info_name} takes one name; put one with spaces in quotes{rows}"


def _explain(former: str) -> str:
    return f"{former} is now called {RENAMED[former]}"
