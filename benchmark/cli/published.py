"""`published`: numbers of the literature, and where they do not fit each other. Without torch and pandas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import format_count, print_note
from benchmark.cli.options import AsJson
from benchmark.cli.out_files import OutFile, Overwrite
from benchmark.cli.report_options import GIVE_KEY, NoNotes, Wide, choose_format, print_report, read_option, split_keys
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.published.published_row import PublishedRow


Dataset = Annotated[
    str | None,
    typer.Option("--dataset", metavar="NAME", help="Only this dataset, such as voc12 or 'PASCAL VOC 2012'."),
]
Split = Annotated[
    str | None, typer.Option("--split", metavar="NAME", help="Only this split or benchmark, such as voc12 or VOC20.")
]
Method = Annotated[
    str | None, typer.Option("--method", metavar="NAME", help="Only this method, in all sources that have it.")
]
Setting = Annotated[str | None, typer.Option("--setting", metavar="NAME", help="Only this setting, such as inductive.")]
Supervision = Annotated[
    str | None, typer.Option("--supervision", metavar="NAME", help="Only this supervision, such as seen_masks.")
]
Verified = Annotated[bool, typer.Option("--verified", help="Only numbers that were seen in a source.")]
Sort = Annotated[
    str | None, typer.Option("--sort", metavar="KEY[,desc]", help="Column to sort the rows of each group by.")
]
Columns = Annotated[
    str | None, typer.Option("--columns", metavar="KEY,…", help="Columns to print, such as hiou,venue,note.")
]
Check = Annotated[
    bool, typer.Option("--check", help="Print numbers that do not fit each other; all must be explained.")
]


def published(
    context: typer.Context,
    *,
    dataset: Dataset = None,
    split: Split = None,
    method: Method = None,
    setting: Setting = None,
    supervision: Supervision = None,
    verified: Verified = False,
    sort: Sort = None,
    columns: Columns = None,
    check: Check = False,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, csv, json, tex or html.")] = "txt",
    no_notes: NoNotes = False,
    wide: Wide = False,
    out: OutFile = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Print published numbers by dataset, split and setting, with their sources.

    Numbers that were not seen in a source are marked, and so are misprints. With --check, the exit code is 0 if every
    disagreement is explained, and 4 otherwise.
    """
    from benchmark.published.read import find_rows, read_published
    from benchmark.report.tables.published_table import render_published
    from benchmark.report.tables.typeset import WIDTH

    fmt, width = choose_format(context, fmt, as_json=as_json), None if wide else WIDTH
    names = {"dataset": dataset, "split": split, "method": method, "setting": setting, "supervision": supervision}
    filters = {key: read_option(f"--{key}", text, "give a name") or None for key, text in names.items()}
    rows = read_published()
    chosen = find_rows(rows, **filters, is_verified=verified or None)
    if not chosen:
        given = " ".join([*(f"--{key} {text!r}" for key, text in filters.items() if text), *["--verified"] * verified])
        raise ValueError(f"no published number fits {given}: leave one of them out")
    if check:
        if columns is not None or sort is not None:
            raise ValueError("--check prints disagreements and no rows: leave --columns and --sort out")
        _print_check(rows, chosen, fmt=fmt, has_notes=not no_notes, out=out)
        return
    keys, order = split_keys("--columns", columns), read_option("--sort", sort, GIVE_KEY)
    text = render_published(chosen, fmt=fmt, keys=keys, sort=order, width=width, has_notes=not no_notes)
    print_report(text, fmt=fmt, out=out)


def _print_check(
    rows: Sequence[PublishedRow],
    chosen: Sequence[PublishedRow],
    *,
    fmt: str,
    has_notes: bool,
    out: Path | None,
) -> None:
    """Print the disagreements that concern chosen rows, and exit with DIFFERENT if one is not explained."""
    from benchmark.published.checks import check_published, list_unused
    from benchmark.report.tables.disagreement_table import render_disagreements

    found, ids = check_published(rows), {row.id for row in chosen}
    unused = list_unused(found) if len(chosen) == len(rows) else []
    shown = [disagreement for disagreement in found if ids & {*disagreement.rows}]
    text = render_disagreements(shown, unused=unused, fmt=fmt, has_notes=has_notes)
    print_report(text, fmt=fmt, out=out)
    open_count = sum(not disagreement.is_explained for disagreement in shown)
    if open_count or unused:
        print_note(
            f"{format_count(open_count, 'disagreement')} not explained, {format_count(len(unused), 'explanation')} "
            "of nothing: correct the number, or edit results/published/explanations.yaml"
        )
        raise typer.Exit(ExitCode.DIFFERENT)
