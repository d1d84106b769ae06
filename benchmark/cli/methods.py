"""`test` and `new`: a method of one's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.console import format_command, format_count, open_store, print_json, print_line, print_note
from benchmark.cli.errors import format_message
from benchmark.cli.options import AsJson, Overrides, read_overrides
from benchmark.cli.out_files import make_out_folder
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.contract.check import TestedVariant
    from benchmark.contract.rule import RuleOutcome
    from benchmark.contract.subject import Subject
    from benchmark.planning.selection import Selection
    from benchmark.store.store import Store

MethodName = Annotated[
    str, typer.Argument(metavar="METHOD[/VARIANT]", help="Method, or path of a method's file; default: all variants.")
]
STATE_WIDTH, RULE_WIDTH = 14, 20


def test(
    context: typer.Context,
    name: MethodName,
    *,
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="Split to build the method for.")] = "toybox",
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Check that a method keeps the contract and has no leaks. Needs no data; takes seconds per variant.

    One line per rule: ok, broken (with what was seen, on which line, and what to do), not applicable, or not checked
    because of another broken rule. The exit code is 3 if a rule is broken, 1 if the result cannot be recorded for
    tables, and 0 otherwise.
    """
    from benchmark.contract.check import make_subjects
    from benchmark.execution.runner import prepare_torch

    prepare_torch(1)  # as in a run
    changes = read_overrides(overrides)
    subjects = make_subjects(name, split=split, overrides=changes)
    tested = [_test_variant(subject, is_shown=not as_json) for subject in subjects]
    if as_json:
        print_json([_describe_variant(variant) for variant in tested])
    else:
        _print_verdict(open_store(context), name, tested, split=split)
    is_recorded = bool(changes) or _save(open_store(context), name, tested, split=split)
    if any(variant.broken for variant in tested):
        raise typer.Exit(ExitCode.FINISHED_WITH_FAILURES)
    raise typer.Exit(ExitCode.SUCCESS if is_recorded else ExitCode.ERROR)


def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="METHOD", help="Name of the method, and of its file.")],
    out: Annotated[Path, make_out_folder("Folder to write the file to.")] = Path(),
) -> None:
    """Write the starting file of a new method, which runs and passes `test` as it is."""
    from benchmark.planning.new_method import write_new_method

    try:
        path = write_new_method(name, out)
    except FileExistsError as error:
        raise FileExistsError(f"{error.filename} exists and is not overwritten: choose another name or --out") from None
    store, file = open_store(context), path if path.is_absolute() else f".{os.sep}{path}"
    print_line(f"wrote {path}")
    print_line(f"Test it:      {format_command(store, 'test', str(file))}")
    print_line(f"Run it:       {format_command(store, 'run', str(file), '--split', 'toybox', '--seed', '0')}")
    print_line(f"Tabulate it:  {format_command(store, 'table', name)}")


def print_contracts(store: Store, selection: Selection) -> None:
    """Print one line if runs are of external methods that were never tested with their present code, or break rules."""
    from benchmark.store.contract_record import describe_contracts

    rows = [next(iter(row.ids.values())) for row in selection.plan.rows] if selection.plan else selection.ids
    texts = describe_contracts(store.root, selection.make_specs(rows))
    parts = [f"{', '.join(f'{spec.method}/{spec.variant}' for spec in some)}: {text}" for text, some in texts.items()]
    if parts:
        first = next(iter(texts.values()))[0]
        print_note(f"{'; '.join(parts)} ({format_command(store, 'test', first.source or first.method)})")


def _test_variant(subject: Subject, *, is_shown: bool) -> TestedVariant:
    from benchmark.contract.check import TestedVariant, check_variant

    if is_shown:
        print_line(f"{subject.setup.variant} on {subject.split.name}")
    outcomes = []
    for outcome in check_variant(subject):
        outcomes.append(outcome)
        if is_shown:
            _print_outcome(outcome)
    return TestedVariant(subject.setup.variant, tuple(outcomes))


def _print_outcome(outcome: RuleOutcome) -> None:
    from benchmark.contract.rule import RuleState

    head = f"  {outcome.state:<{STATE_WIDTH}}  {outcome.rule:<{RULE_WIDTH}}"
    if outcome.state is RuleState.BROKEN:
        place = f"{outcome.place}: " if outcome.place else ""
        print_line(f"{head}  {place}{outcome.reason} [rule: {outcome.sentence.rstrip('.')}]")
    else:
        print_line(f"{head}  {outcome.reason}".rstrip())


def _print_verdict(store: Store, name: str, tested: Sequence[TestedVariant], *, split: str) -> None:
    broken = [variant for variant in tested if variant.broken]
    if broken:
        for variant in broken:
            print_line(f"{variant.variant}: {format_count(len(variant.broken), 'rule')} broken")
        return
    print_line(f"{format_count(len(tested), 'variant')}: no rule is broken")
    print_line(f"Run it: {format_command(store, 'run', name, '--split', split, '--seed', '0')}")


def _describe_variant(variant: TestedVariant) -> dict[str, Any]:
    rules = [
        {
            "rule": outcome.rule,
            "state": outcome.state.value,
            "place": outcome.place,
            "reason": outcome.reason,
            "sentence": outcome.sentence,
        }
        for outcome in variant.outcomes
    ]
    return {"variant": variant.variant, "is_kept": not variant.broken, "rules": rules}


def _save(store: Store, name: str, tested: Sequence[TestedVariant], *, split: str) -> bool:
    """Save which rules an external method breaks; return whether that was possible, or else print why it was not.

    An included method needs no record, as the test suite checks it.
    """
    from benchmark.core.split import name_split
    from benchmark.planning.registry import compute_source_digest, simplify_name
    from benchmark.store.contract_record import ContractRecord, save_contract
    from benchmark.utils.method_names import name_method_file, split_method

    method = simplify_name(split_method(name)[0])
    digest = compute_source_digest(method)
    if digest:
        broken = {variant.variant: variant.broken for variant in tested}
        splits = dict.fromkeys(broken, name_split(split))
        title = name_method_file(method)
        record = ContractRecord(method=title, source_digest=digest, splits=splits, broken=broken)
        try:
            save_contract(store.root, record)
        except OSError as error:
            print_note(f"error: not recorded, so tables call this code untested: {format_message(error)}")
            return False
    return True
