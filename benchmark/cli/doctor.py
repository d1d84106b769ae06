"""`doctor`: check whether this machine can run the benchmark."""

from __future__ import annotations

from dataclasses import asdict

import typer

from benchmark.cli.console import open_store, print_json, print_line
from benchmark.cli.options import AsJson
from benchmark.utils.exit_codes import ExitCode


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check whether this machine can run the benchmark. Exit code 1 only if something prevents runs."""
    from benchmark.cli.doctor_checks import examine

    checks = []
    for check in examine(open_store(context).root):
        checks.append(check)
        if not as_json:
            print_line(f"{check.level:<7}  {check.name}: {check.text}")
    if as_json:
        print_json([asdict(check) for check in checks])
    raise typer.Exit(ExitCode.ERROR if any(check.level == "error" for check in checks) else ExitCode.SUCCESS)
