"""What is drawn from records: `table`, `plot`, `compare`. None of it needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import AsJson, open_store, print_line, print_note

if TYPE_CHECKING:
    from benchmark.core.study import Plan
    from benchmark.evaluation.scores import Convention as EvaluationConvention
    from benchmark.store.store import Store

Convention = Annotated[str, typer.Option("--convention", help="How absent classes count: d2-main, d2-0.6 or mmseg.")]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A study, as last planned or run here.")]


def table(
    context: typer.Context,
    study: StudyName,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, csv, json or tex.")] = "txt",
    convention: Convention = "d2-main",
    out: Annotated[Path | None, typer.Option("--out", help="File to write, not stdout.", dir_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """The table of a study, from its records alone."""
    from benchmark.utils.atomic_files import write_text

    store = open_store(context)
    text = table_text(store, store.plan(_stem(study)), fmt="json" if as_json else fmt, convention=convention)
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        write_text(out, text)
        print_note(f"written to {out}")


def table_text(store: Store, plan: Plan, *, fmt: str = "txt", convention: str = "d2-main") -> str:
    """A study's table in one of its forms."""
    from benchmark.report import rows
    from benchmark.report.tables.table import render

    found = rows.collect(store, plan, convention=known_convention(convention))
    return render(found, fmt=fmt, title=plan.title)


def show_table(store: Store, plan: Plan) -> None:
    """Print a study's table."""
    print_line(table_text(store, plan).rstrip("\n"))


def plot(
    context: typer.Context,
    study: StudyName,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.", file_okay=False)],
    convention: Convention = "d2-main",
    pictures: Annotated[bool, typer.Option("--pictures", help="Also segmentations, from checkpoints.")] = False,
) -> None:
    """Draw the figures of a study."""
    store = open_store(context)
    plan = store.plan(_stem(study))
    for path in write_figures(store, plan, out, convention=convention):
        print_line(str(path))
    for path in write_pictures(store, plan, out) if pictures else ():
        print_line(str(path))


def write_figures(store: Store, plan: Plan, out: Path, *, convention: str = "d2-main") -> list[Path]:
    """Draw what records give of a study; returns the files."""
    from benchmark.report import rows
    from benchmark.report.figures import plot as figures

    found = rows.collect(store, plan, convention=known_convention(convention))
    out.mkdir(parents=True, exist_ok=True)
    return figures.draw_all(found, store, out)


def write_pictures(store: Store, plan: Plan, out: Path) -> list[Path]:
    """Draw what trained methods make of a few images; tells of rows that are left out."""
    from benchmark.qualitative.gallery import draw_gallery

    gallery = draw_gallery(store, plan, out)
    for label, reason in gallery.left_out.items():
        print_note(f"no segmentations of {label}: {reason}")
    return gallery.paths


def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A row of the study, or a run, or runs that differ in seed.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What A is compared with.")],
    study: Annotated[str | None, typer.Option("--study", help="Whose rows A and B may name.")] = None,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, tex or json.")] = "txt",
    convention: Convention = "d2-main",
    as_json: AsJson = False,
) -> None:
    """Compare two methods, image by image."""
    from benchmark.report import comparison as comparing
    from benchmark.report.tables.comparison_text import render

    store = open_store(context)
    plan = store.plan(_stem(study)) if study is not None else None
    sides = [comparing.find_runs(store, text, plan=plan) for text in (a, b)]
    (label_a, runs_a), (label_b, runs_b) = sides
    found = comparing.compare(store, runs_a, runs_b, labels=(label_a, label_b), convention=known_convention(convention))
    print_line(render(found, fmt="json" if as_json else fmt).rstrip("\n"))


def known_convention(name: str) -> EvaluationConvention:
    """The convention of a name. Raises KeyError naming the nearest."""
    from benchmark.evaluation.scores import CONVENTIONS
    from benchmark.utils.did_you_mean import unknown_name

    for convention in CONVENTIONS:
        if convention == name:
            return convention
    raise KeyError(unknown_name("convention", name, CONVENTIONS))


def _stem(study: str) -> str:
    """The name of a plan, also where the study's file is given."""
    return Path(study).stem if study.endswith((".yaml", ".yml")) else study
