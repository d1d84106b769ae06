"""`table`, `plot`, `compare`: reports made from run records. None of them needs torch, unless images are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import open_store, print_line, print_note
from benchmark.cli.options import AsJson

if TYPE_CHECKING:
    from benchmark.core.study import Plan
    from benchmark.evaluation.scores import Convention as EvaluationConvention
    from benchmark.evaluation.scores import Metric
    from benchmark.store.store import Store

Convention = Annotated[str, typer.Option("--convention", help="Treatment of absent classes: d2-main, d2-0.6 or mmseg.")]
Baseline = Annotated[
    str | None,
    typer.Option("--baseline", metavar="ROW", help="Row to compare the others with; else the study's or the first."),
]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="Study, as last planned or run here.")]


def table(
    context: typer.Context,
    study: StudyName,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, csv, json or tex.")] = "txt",
    convention: Convention = "d2-main",
    baseline: Baseline = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="KEY,…", help="Columns to print, such as hiou,miou,hiou_rank,p_adjusted."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write instead of stdout.", dir_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Print the table of a study, computed from its run records."""
    from benchmark.utils.atomic_files import write_text

    store = open_store(context)
    plan = store.read_plan(_get_plan_name(study))
    fmt, keys = "json" if as_json else fmt, _split_keys("--columns", columns)
    text = format_table(store, plan, fmt=fmt, convention=convention, baseline=_read_baseline(baseline), columns=keys)
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        write_text(out, text)
        print_note(f"wrote {out}")


def format_table(
    store: Store,
    plan: Plan,
    *,
    fmt: str = "txt",
    convention: str = "d2-main",
    baseline: str = "",
    columns: Sequence[str] = (),
) -> str:
    """Return the table of a study in one of its formats.

    Args:
        store: Store that holds the runs.
        plan: Plan of the study.
        fmt: Format of the table.
        convention: Name of the convention of the scores.
        baseline: Row that the others are compared with; if empty, the study's.
        columns: Keys of the printed columns; if empty, the default ones.

    Raises:
        KeyError: A name is unknown; the message suggests the nearest.
        ValueError: The rows are not comparable.
    """
    from benchmark.report.rows import read_rows
    from benchmark.report.study_results import collect_results
    from benchmark.report.tables.selection import select_columns
    from benchmark.report.tables.study_table import render

    selected = select_columns(columns)
    rows = read_rows(store, plan, convention=find_convention(convention), metrics=selected.metrics)
    results = collect_results(rows, baseline=baseline or plan.baseline, has_ranks=selected.has_ranks)
    return render(results, fmt=fmt, title=plan.title, columns=selected)


def print_table(store: Store, plan: Plan) -> None:
    """Print the table of a study as text."""
    print_line(format_table(store, plan).rstrip("\n"))


def plot(
    context: typer.Context,
    study: StudyName,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.", file_okay=False)],
    convention: Convention = "d2-main",
    baseline: Baseline = None,
    images: Annotated[
        bool, typer.Option("--images", help="Also draw segmentations, predicted from checkpoints.")
    ] = False,
) -> None:
    """Draw the figures of a study."""
    store = open_store(context)
    plan = store.read_plan(_get_plan_name(study))
    for path in write_figures(store, plan, out, convention=convention, baseline=_read_baseline(baseline)):
        print_line(str(path))
    for path in write_segmentations(store, plan, out) if images else ():
        print_line(str(path))


def write_figures(
    store: Store, plan: Plan, out: Path, *, convention: str = "d2-main", baseline: str = ""
) -> list[Path]:
    """Draw the figures of a study that need only its records, print what is left out, and return the files."""
    from benchmark.report.figures.study_figures import describe_left_out, draw_all
    from benchmark.report.rows import read_rows

    rows = read_rows(store, plan, convention=find_convention(convention))
    out.mkdir(parents=True, exist_ok=True)
    for text in describe_left_out(rows):
        print_note(text)
    return draw_all(rows, store, out, baseline=baseline or plan.baseline)


def write_segmentations(store: Store, plan: Plan, out: Path) -> list[Path]:
    """Draw predictions for a few images, print which rows are left out, and return the files."""
    from benchmark.qualitative.gallery import draw_gallery

    gallery = draw_gallery(store, plan, out)
    for label, reason in gallery.left_out.items():
        print_note(f"no segmentations of {label}: {reason}")
    return gallery.paths


def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A row of the study, a run, or runs that differ in seed.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Reference for A, named in the same way.")],
    study: Annotated[str | None, typer.Option("--study", help="Study whose rows A and B may name.")] = None,
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, md, tex or json.")] = "txt",
    convention: Convention = "d2-main",
    margin: Annotated[
        float | None,
        typer.Option("--margin", metavar="POINTS", help="Difference that does not matter; tests A against it."),
    ] = None,
    metrics: Annotated[
        str | None, typer.Option("--metrics", metavar="KEY,…", help="Scores to compare, such as hiou,miou_image.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two methods, image by image."""
    from benchmark.report.comparison import compare_runs, find_runs
    from benchmark.report.tables.comparison_table import render

    store = open_store(context)
    plan = store.read_plan(_get_plan_name(study)) if study is not None else None
    sides = [find_runs(store, text, plan=plan) for text in (a, b)]
    (label_a, runs_a), (label_b, runs_b) = sides
    comparison = compare_runs(
        store,
        runs_a,
        runs_b,
        labels=(label_a, label_b),
        convention=find_convention(convention),
        margin=margin,
        metrics=find_metrics(_split_keys("--metrics", metrics)),
    )
    print_line(render(comparison, fmt="json" if as_json else fmt).rstrip("\n"))


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


def _split_keys(option: str, text: str | None) -> list[str]:
    """Return the keys of an option; none if it is not given.

    Raises:
        ValueError: The option is given without a key.
    """
    keys = [key.strip() for key in (text or "").split(",") if key.strip()]
    if text is not None and not keys:
        raise ValueError(f"{option} is {text!r}: give one key or several with commas, or leave the option out")
    return keys


def _read_baseline(text: str | None) -> str:
    """Return the name of a baseline; empty if the option is not given.

    Raises:
        ValueError: The option is given without a name.
    """
    if text is not None and not text.strip():
        raise ValueError(f"--baseline is {text!r}: give the label of a row, or leave the option out")
    return text or ""


def _get_plan_name(study: str) -> str:
    """Return the name of a plan, also if the path of its study file is given."""
    return Path(study).stem if study.endswith((".yaml", ".yml")) else study
