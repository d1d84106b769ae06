"""Former names of commands and options, answered with their current names."""

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
            raise


def _explain(former: str) -> str:
    return f"{former} is now called {RENAMED[former]}"
