"""`clean`: delete what a store can do without."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import format_command, format_count, open_given_store, print_line, print_note
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.store.cleanup import ForeignPath, Kind, Leftover
    from benchmark.store.store import Store

SHOWN_LEFTOVERS = 20


def clean(
    context: typer.Context,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Failed runs.")] = False,
    stale: Annotated[
        bool, typer.Option("--stale", help="Finished runs of older code or inputs that no plan names.")
    ] = False,
    drafts: Annotated[bool, typer.Option("--drafts", help="Drafts that killed processes left behind.")] = False,
    plans: Annotated[bool, typer.Option("--plans", help="Plans none of whose runs was ever started.")] = False,
    replaced: Annotated[bool, typer.Option("--replaced", help="Old results that `rerun` replaced.")] = False,
    index: Annotated[bool, typer.Option("--index", help="What was read from a large store, to be read again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """Delete failed or stale runs, drafts and unused plans. Shows them with their sizes and asks first."""
    from benchmark.store.cleanup import Kind, list_leftovers, list_stale_in_plans
    from slurm.status.run_status import query_status

    store = open_given_store(context)
    flags = {Kind.FAILED: failed, Kind.STALE: stale, Kind.DRAFTS: drafts, Kind.PLANS: plans, Kind.REPLACED: replaced}
    flags[Kind.INDEX] = index
    wanted = [kind for kind, is_wanted in flags.items() if is_wanted]
    known, problems = store.read_plans()
    ids = dict.fromkeys([*store.list_ids(), *(run_id for plan in known.values() for run_id in plan.ids)])
    status = query_status(store, list(ids))
    states = {run.id: run.state for run in status.runs}
    leftovers, foreign = list_leftovers(store, wanted or list(Kind), states)
    for kind in wanted or Kind:
        _print_leftovers(store, kind, [leftover for leftover in leftovers if leftover.kind is kind])
    _print_foreign(store, foreign)
    for line in [
        *(f"warning: {problem}; until then all stale runs are kept" for problem in problems),
        *status.queue.notes,
    ]:
        print_note(line)
    if stale and not problems and (kept := len(list_stale_in_plans(store, states))):
        print_note(
            f"{format_count(kept, 'stale run')} of plans kept: {format_command(store, 'rerun', 'STUDY', '--stale')}"
        )
    if not wanted:
        print_note(f"nothing deleted: choose with {' '.join(f'--{kind}' for kind in Kind)}")
    elif leftovers:
        _delete(leftovers, is_confirmed=yes)


def _print_leftovers(store: Store, kind: Kind, leftovers: Sequence[Leftover]) -> None:
    from benchmark.store.disk_usage import format_size
    from benchmark.store.row_labels import label_runs

    total = format_size(sum(leftover.size for leftover in leftovers))
    print_line(f"{kind}: {len(leftovers)}" + (f", {total}" if leftovers else ""))
    shown = leftovers[:SHOWN_LEFTOVERS]
    names = set(store.list_ids())
    labels = label_runs(store, [leftover.path.name for leftover in shown if leftover.path.name in names])
    for leftover in shown:
        path, label = leftover.path.relative_to(store.root), labels.get(leftover.path.name)
        print_line(f"  {format_size(leftover.size):>7}  {path}" + (f"  ({label})" if label else ""))
    if len(leftovers) > len(shown):
        print_line(f"  … and {len(leftovers) - len(shown)} more")


def _print_foreign(store: Store, foreign: Sequence[ForeignPath]) -> None:
    for entry in foreign[:SHOWN_LEFTOVERS]:
        print_note(f"left alone: {entry.path.relative_to(store.root)}, {entry.reason}")
    if len(foreign) > SHOWN_LEFTOVERS:
        print_note(f"left alone: {len(foreign) - SHOWN_LEFTOVERS} more")


def _delete(leftovers: Sequence[Leftover], *, is_confirmed: bool) -> None:
    from benchmark.store.cleanup import delete
    from benchmark.store.disk_usage import format_size

    total = format_size(sum(leftover.size for leftover in leftovers))
    if not is_confirmed and not sys.stdin.isatty():
        print_note(f"nothing deleted: --yes deletes these {total}")
        return
    if not is_confirmed and not typer.confirm(f"Delete these {total}?"):
        print_note("nothing deleted")
        return
    deleted: list[Leftover] = []
    in_use: list[Leftover] = []
    problems: list[str] = []
    for leftover in leftovers:
        try:
            (deleted if delete(leftover) else in_use).append(leftover)
        except OSError as error:
            problems.append(f"not deleted: {leftover.path}: {error.strerror or error}")
    print_line(f"deleted {len(deleted)}, {format_size(sum(leftover.size for leftover in deleted))}")
    if in_use:
        print_note(f"{len(in_use)} kept: in use by now")
    for problem in problems:
        print_note(problem)
    if problems:
        raise typer.Exit(ExitCode.ERROR)
