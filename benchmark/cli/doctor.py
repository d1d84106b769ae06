"""`doctor`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from benchmark.cli.console import AsJson, open_store, print_json, print_line


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Can this machine run the suite? Exit code 1 only for what prevents running."""
    from benchmark.cli.doctor_checks import examine

    checks = []
    for check in examine(open_store(context).root):
        checks.append(check)
        if not as_json:
            print_line(f"{check.level:<4}  {check.name}: {check.text}")
    if as_json:
        print_json([asdict(check) for check in checks])
    raise typer.Exit(1 if any(check.level == "bad" for check in checks) else 0)
