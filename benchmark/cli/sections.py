"""The group of all commands: help under headings, in the order of a working day, and a check of paths."""

from __future__ import annotations

from typing import Any

from benchmark.cli.empty_paths import find_command, refuse_empty_paths
from benchmark.cli.renamed import RenamingGroup


class SectionedGroup(RenamingGroup):
    """Group of commands that lists each under the heading that it was registered with as `rich_help_panel`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the global options and the name of the command."""
        if "" in args or any(word.endswith("=") for word in args):
            refuse_empty_paths(self, args)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the arguments begin with."""
        if not ctx.resilient_parsing:
            refuse_empty_paths(*find_command(self, args))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by heading; headings are in the order of their first command."""
        sections: dict[str, list[tuple[str, str]]] = {}
        width = max(map(len, self.commands))
        for name, command in self.commands.items():
            if not command.hidden:
                heading = getattr(command, "rich_help_panel", None) or "Others"
                text = command.get_short_help_str(formatter.width - 6 - width)
                sections.setdefault(heading, []).append((name.ljust(width), text))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
