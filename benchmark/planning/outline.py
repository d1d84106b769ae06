"""Selections that need neither data nor weight files: what an estimate is made for before they are there."""

from __future__ import annotations

from dataclasses import replace

from benchmark.planning.expand import expand
from benchmark.planning.requested_study import Request, make_requested_study
from benchmark.planning.resolve import outline
from benchmark.planning.selection import Selection, select_study


def outline_runs(request: Request) -> Selection:
    """Resolve what a user asks for into runs that can be estimated and measured, but not run; nothing is saved.

    Raises:
        KeyError: A name is unknown; the message names the nearest.
        ValueError: The runs are impossible; the message says why.
    """
    planned = expand(make_requested_study(request), resolve_run=outline)
    return replace(select_study(planned, seeds=request.seeds), is_named=False)
