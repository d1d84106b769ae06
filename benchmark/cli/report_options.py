"""Arguments and options of the commands that report results, and how they are read and printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.completion import complete_run_names
from benchmark.cli.console import print_note, print_result

if TYPE_CHECKING:
    from benchmark.core.plan import Plan
    from benchmark.evaluation.scores import Convention as EvaluationConvention
    from benchmark.evaluation.scores import Metric
    from benchmark.store.store import Store

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME...",
        help="Studies as last planned or run here, METHOD[/VARIANT], and IDs of runs, also mixed.",
        autocompletion=complete_run_names,
    ),
]
SplitFilter = Annotated[
    str | None,
    typer.Option("--split", help="Only the rows on this split, or on those that fit a pattern such as 'toybox@*'."),
]
Convention = Annotated[str, typer.Option("--convention", help="Treatment of absent classes: d2-main, d2-0.6 or mmseg.")]
Baseline = Annotated[
    str | None,
    typer.Option("--baseline", metavar="ROW", help="Row to compare the others with; else the study's or the first."),
]
Sort = Annotated[
    str | None,
    typer.Option("--sort", metavar="KEY[,desc]", help="Column to sort the rows of each split by; the baseline stays."),
]
BySplit = Annotated[
    bool,
    typer.Option("--by-split", help="Keep splits apart instead of taking the mean over those with the same classes."),
]
Digits = Annotated[
    int, typer.Option("--digits", min=0, max=6, help="Decimals of printed scores; csv and json keep six.")
]
NoNotes = Annotated[bool, typer.Option("--no-notes", help="Print no notes, except warnings.")]
Wide = Annotated[bool, typer.Option("--wide", help="Print all columns of text side by side instead of folding them.")]
SUFFIXES = ("txt", "md", "csv", "json", "tex", "html")
"""Suffixes of files that say which format a report has, without the dot."""
GIVE_KEY = "give KEY or KEY,desc"
"""What to do about a --sort without a value."""


def choose_format(context: typer.Context, fmt: str, *, as_json: bool) -> str:
    """Return the format of a report from --format or --json; if neither is given, from the suffix of --out.

    Raises:
        BadParameter: Both are given, and they are not the same.
    """
    source = context.get_parameter_source("fmt")
    is_given = source is not None and source.name != "DEFAULT"
    if as_json and is_given and fmt != "json":
        raise typer.BadParameter(f"--format {fmt} and --json are two formats: give one of them", param_hint="--json")
    out = context.params["out"]
    suffix = "" if out is None or is_given else out.suffix.lower().removeprefix(".")
    return "json" if as_json else suffix if suffix in SUFFIXES else fmt


def find_plan(store: Store, names: Sequence[str], split: str | None) -> Plan:
    """Return the rows that some names stand for, see `benchmark.report.named_rows.make_plan`.

    Args:
        store: Store that holds plans and runs.
        names: Names as the user gave them.
        split: Split as the user gave it; None for all.
    """
    from benchmark.core.run_spec import IMPORTED
    from benchmark.planning.registry import list_variants
    from benchmark.report.named_rows import make_plan

    unknown: dict[str, None] = {}

    def list_known_variants(method: str) -> Sequence[str]:
        variants = list_variants(method)
        if not variants and method != IMPORTED:
            unknown[method] = None
        return variants

    place = read_option("--split", split, "give the name of a split")
    plan = make_plan(store, names, split=place, list_variants=list_known_variants, notify=print_note)
    if unknown and len(plan.rows) > 1:
        print_note(f"no method file of {', '.join(unknown)}: variants are in the order of their names, not of the file")
        if not plan.baseline:
            print_note(f"baseline: {plan.rows[0].label!r}, the first row, unless --baseline ROW names another")
    return plan


def print_ambiguous(store: Store, names: Sequence[str]) -> None:
    """Print which names stand for a study and for a method too."""
    from benchmark.report.named_rows import describe_ambiguous

    for text in describe_ambiguous(store, names):
        print_note(text)


def print_report(text: str, *, fmt: str, out: Path | None) -> None:
    """Write a report to a file, or print it: text for people in the encoding of stdout, other formats in UTF-8."""
    from benchmark.utils.atomic_files import write_text

    if out is not None:
        write_text(out, text)
        print_note(f"wrote {out}")
    elif fmt == "txt":
        print_result(text.rstrip("\n"))
    else:
        typer.echo(text.encode("utf-8"), nl=False)


def read_option(option: str, text: str | None, advice: str) -> str:
    """Return the text of an option; empty if the option is not given.

    Args:
        option: Name of the option.
        text: Text; None if the option is not given.
        advice: What to give.

    Raises:
        ValueError: The option is given without a text.
    """
    if text is not None and not text.strip():
        raise ValueError(f"{option} is {text!r}: {advice}, or leave the option out")
    return text or ""


def refuse_options(context: typer.Context, names: Sequence[str], subject: str) -> None:
    """Check that options which a table has no use for are not given.

    Args:
        context: Context of the command.
        names: Parameters of the options.
        subject: Name of the table.

    Raises:
        BadParameter: One of them is given.
    """
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(f"{option} has no meaning for {subject}: leave it out", param_hint=option)


def split_keys(option: str, text: str | None) -> list[str]:
    """Return the different keys of an option, separated by commas; none if it is not given.

    Raises:
        ValueError: The option is given without a key.
    """
    keys = list(dict.fromkeys(key.strip() for key in (text or "").split(",") if key.strip()))
    if text is not None and not keys:
        raise ValueError(f"{option} is {text!r}: give one key or several with commas, or leave the option out")
    return keys


def find_convention(name: str) -> EvaluationConvention:
    """Return the convention of this name.

    Raises:
        KeyError: The name is unknown; the message suggests the nearest.
    """
    from benchmark.evaluation.scores import CONVENTIONS
    from benchmark.utils.did_you_mean import explain_unknown_name

    for convention in CONVENTIONS:
        if convention == name:
            return convention
    raise KeyError(explain_unknown_name("convention", name, CONVENTIONS))


def find_metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    """Return the metrics of these names; those of a table if there are no names.

    Raises:
        KeyError: A name is unknown; the message suggests the nearest.
    """
    from benchmark.evaluation.scores import METRICS
    from benchmark.report.rows import TABLE_METRICS
    from benchmark.utils.did_you_mean import explain_unknown_name

    for name in names:
        if name not in METRICS:
            raise KeyError(explain_unknown_name("metric", name, METRICS))
    return tuple(metric for metric in METRICS if metric in names) or TABLE_METRICS
