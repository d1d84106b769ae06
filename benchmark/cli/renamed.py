"""Former names of commands and options, answered with their current names, and invalid values in words of ours."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

RENAMED = {"--limit": "--max-images", "--part": "--subset", "--pictures": "--images", "sheet": "contact-sheet"}
"""Current name of a command or option by its former name."""


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


def _explain(former: str) -> str:
    return f"{former} is now called {RENAMED[former]}"
